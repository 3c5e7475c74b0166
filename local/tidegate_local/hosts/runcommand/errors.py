"""Refusals, by the names Systems Manager gives them."""


class RunCommandError(Exception):
    """A call is refused.

    Attributes
    ----------
    code : the modelled error's name, such as ``InvalidInstanceId``
    message : what is wrong and with what
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
