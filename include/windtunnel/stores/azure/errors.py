"""From an error of Azure's client to one that says what to mend."""

import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

from windtunnel.errors import ConflictError, NotFoundError, StoreError, UnavailableError
from windtunnel.stores.azure.account import ACCOUNT_URL, CONNECTION_STRING, KEY, SAS_TOKEN
from windtunnel.stores.azure.identity import BUSY
from windtunnel.stores.credentials import Credentials

_MISSING = {"BlobNotFound", "ContainerNotFound"}
_CONFLICTS = {"BlobAlreadyExists", "ConditionNotMet"}
_NOT_PERMITTED = {
    "AuthorizationPermissionMismatch",
    "AuthorizationProtocolMismatch",
    "AuthorizationResourceTypeMismatch",
    "AuthorizationServiceMismatch",
    "AuthorizationSourceIPMismatch",
    "InsufficientAccountPermissions",
    "UnauthorizedBlobOverwrite",
}


def is_missing_container(error: Exception) -> bool:
    """Whether the request failed because there is no such container."""
    return _code(error) == "ContainerNotFound"


def explain(error: Exception, action: str, credentials: Credentials) -> StoreError:
    """The error to raise instead: it tells the cause and holds nothing of the credentials.

    Args:
        error: of `azure.core.exceptions`.
        action: what was tried, with the URL.
        credentials: that the store was opened with.
    """
    code = _code(error)
    if code in _MISSING:
        what = "its container does not exist" if code == "ContainerNotFound" else "there is no such object"
        return NotFoundError(f"cannot {action}: {what}")
    if code in _CONFLICTS:
        return ConflictError(f"cannot {action}: somebody else wrote it meanwhile")
    message = f"cannot {action}: {_cause(error, code, credentials)}"
    return UnavailableError(message) if _may_pass(error) else StoreError(message)


def _may_pass(error: Exception) -> bool:
    from azure.core.exceptions import ClientAuthenticationError

    status = getattr(error, "status_code", None)
    if status is None:
        return not isinstance(error, ClientAuthenticationError)
    return status in (408, 429) or status >= 500


def _cause(error: Exception, code: str, credentials: Credentials) -> str:
    from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError, ServiceResponseError

    account = _account(credentials)
    status = getattr(error, "status_code", None)
    why = code or status or type(error).__name__
    if code == BUSY:
        return "whoever gives tokens to this identity is busy (429); it is worth trying again later"
    if status in (429, 503):
        return f"{account} is busy or throttles requests ({why}); it is worth trying again later"
    if isinstance(error, ServiceRequestError):
        return f"{account} cannot be reached; is its name right, and is there a network?"
    if isinstance(error, ServiceResponseError):
        return f"{account} did not answer in time"
    if status in (401, 403) and (ended := _expired(credentials)):
        return f"the SAS token expired at {ended}; renew it"
    if code in _NOT_PERMITTED:
        return (
            f"the credentials do not permit it ({why}); give the role Storage Blob Data Contributor on the container, "
            "or a SAS token that may read, add, create, write, delete and list"
        )
    if status in (401, 403):
        return f"{account} does not accept the credentials ({why}); are key, network and this host's clock right?"
    if status == 404:
        return f"{account} does not know what is asked for ({why}); is its name right?"
    if isinstance(error, ClientAuthenticationError):
        if credentials.get(KEY) or credentials.get(CONNECTION_STRING):
            return f"the key of {account} cannot be read; copy it anew"
        return f"no identity here gets a token for {account}; set credentials as docs/azure.md describes"
    return f"{account} answered with {why}"


def _code(error: Exception) -> str:
    code: Any = getattr(error, "error_code", None) or ""
    return str(getattr(code, "value", code))


def _account(credentials: Credentials) -> str:
    """The account by its address, without anything secret."""
    text = credentials.get(CONNECTION_STRING, "")
    match = re.search(r"BlobEndpoint=([^;?]+)|AccountName=([^;]+)", text, re.IGNORECASE)
    if match:
        return f"the account {match.group(1) or match.group(2)}"
    return f"the account {credentials.get(ACCOUNT_URL, '').partition('?')[0]}"


def _expired(credentials: Credentials) -> str:
    """When the SAS token expired, if there is one and it did."""
    places = (credentials.get(SAS_TOKEN, ""), credentials.get(ACCOUNT_URL, "").partition("?")[2])
    connection = re.search(r"SharedAccessSignature=([^;]+)", credentials.get(CONNECTION_STRING, ""), re.IGNORECASE)
    for token in (*places, connection.group(1) if connection else ""):
        for end in parse_qs(token.lstrip("?")).get("se", []):
            try:
                moment = datetime.fromisoformat(end)
            except ValueError:
                continue
            if (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) < datetime.now(UTC):
                return str(end)
    return ""
