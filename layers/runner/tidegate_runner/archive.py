"""The archive of this package that hosts unpack: the same bytes for the same sources and the same zlib."""

import ast
import io
import os
import tokenize
import zipfile

_PACKAGE = "tidegate_runner"
# For people at a machine that has all of Tidegate; no order of a deployment needs them.
_NOT_ON_HOSTS = ("archive.py", "door.py", "dry_run.py")
_ONLY_ON_LINUX = ("scripts.py",)
_EARLIEST = (1980, 1, 1, 0, 0, 0)


def build(source_dir: str, system: str = "linux") -> bytes:
    """Pack the runner's sources.

    Parameters
    ----------
    source_dir : str
        The package's folder (the one that holds this file).
    system : str
        What the hosts run: ``linux`` or ``windows``.

    Returns
    -------
    bytes
        A zip with ``tidegate_runner/*.py`` as far as hosts need them, without comments, sorted, with fixed dates and
        modes. Another zlib may give other bytes; the archive is then another version, which does the same.

    Raises
    ------
    ValueError
        When the folder is not the package.
    """
    names = sorted(name for name in os.listdir(source_dir) if name.endswith(".py") and _is_for(name, system))
    if "front.py" not in names:
        raise ValueError("%s is not the folder of %s: it holds no front.py" % (source_dir, _PACKAGE))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            member = zipfile.ZipInfo("%s/%s" % (_PACKAGE, name), _EARLIEST)
            member.create_system = 3
            member.compress_type = zipfile.ZIP_DEFLATED
            member.external_attr = 0o100644 << 16
            with open(os.path.join(source_dir, name), encoding="utf-8") as stream:
                archive.writestr(member, without_comments(stream.read()).encode("utf-8"))
    return buffer.getvalue()


def _is_for(name: str, system: str) -> bool:
    if name in _NOT_ON_HOSTS:
        return False
    return name not in _ONLY_ON_LINUX if system == "windows" else not name.startswith("windows")


def without_comments(source: str) -> str:
    """Take comments and docstrings away, a quarter of what hosts would download; every line keeps its number."""
    lines = source.split("\n")
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            line, start = token.start
            lines[line - 1] = lines[line - 1][:start].rstrip()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node) is not None:
            text = node.body[0]
            first, last = text.lineno - 1, text.end_lineno or text.lineno
            lines[first:last] = [lines[first][: text.col_offset] + '""'] + [""] * (last - first - 1)
    return "\n".join(lines)
