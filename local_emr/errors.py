"""The errors of the EMR API, as a client sees them: the code that botocore raises by, and AWS's own words."""


class ApiError(Exception):
    """An operation refuses. `code` is the error's `__type`; `error_code` a member of InvalidRequestException."""

    def __init__(self, code: str, message: str, *, error_code: str | None = None, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.message, self.error_code, self.status = code, message, error_code, status


def validation_error(message: str) -> ApiError:
    """A request that AWS refuses as it stands; also every error of the older, JobFlow-named operations."""
    return ApiError("ValidationException", message)


def invalid_request(message: str, error_code: str | None = None) -> ApiError:
    """A request about something that is not there, in the newer, Cluster-named operations."""
    return ApiError("InvalidRequestException", message, error_code=error_code)
