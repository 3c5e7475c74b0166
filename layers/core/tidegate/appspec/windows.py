"""What an AppSpec cannot say where hosts run Windows.

Follows "AppSpec 'hooks' section" and "AppSpec 'permissions' section" of the AWS CodeDeploy User Guide.
"""

import ntpath

from tidegate.appspec.checks import Findings, text_of
from tidegate.appspec.reader import Node

SCRIPTS = (".ps1", ".bat", ".cmd", ".exe")


def refuse_permissions(node: "Node | None", findings: Findings) -> None:
    """Note a section that only Linux hosts can carry out."""
    message = "permissions are not supported on Windows"
    findings.problem(message, "permissions", node, "nothing", "Remove the section and set rights in a hook")


def check_windows_script(path: str, entry: "dict[str, Node]", location: str, sudo: bool, findings: Findings) -> None:
    """Note what a Windows host would refuse of a script: another user, a file that Windows does not start."""
    if text_of(entry.get("runas")):
        message = "runas is not supported on Windows"
        findings.problem(message, f"{path}.runas", entry["runas"], "nothing", "Remove it; scripts run as the system")
    if sudo:
        message = "sudo is not supported on Windows"
        findings.problem(message, f"{path}.sudo", entry["sudo"], "nothing", "Remove it; scripts run as the system")
    if location and ntpath.splitext(location)[1].lower() not in SCRIPTS:
        message = f"Windows cannot run the script {location}"
        expected = "a file that ends in " + ", ".join(SCRIPTS)
        findings.problem(message, f"{path}.location", entry["location"], expected, "Call it from such a file")
