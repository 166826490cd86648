"""The identity of this machine, pod or person: one token serves a process and those that are forked from it."""

import os
import time
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken, AccessTokenInfo

BUSY = "IdentityEndpointBusy"
"""Error code of a request that got no token because whoever gives tokens asks for patience."""

_MARGIN = 300.0  # seconds that a token must still hold
_PAUSE, _LONGEST = 5.0, 60.0  # seconds until a busy endpoint is asked again: where it says nothing, and at most
_TRIES = 2  # each of several requests, for the client itself asks a busy endpoint again

_tokens: dict[tuple[Any, ...], "AccessTokenInfo"] = {}  # what is forked later has them too


class Identity:
    """A credential for Azure's clients that asks for a token once, and takes "too many requests" for what it says.

    Azure's own credentials read an endpoint that stays busy as no identity at all.
    """

    def __init__(self, tenant: str | None, client: str | None, secret: str | None) -> None:
        """The service principal, if all are given; else whatever identity is found here, `client` among several."""
        from azure.identity import ClientSecretCredential, DefaultAzureCredential

        self._key = (tenant, client, secret)
        self._lock = Lock()
        self._transport = _transport()
        if tenant and client and secret:
            self.source: Any = ClientSecretCredential(tenant, client, secret, transport=self._transport)
        else:
            self.source = DefaultAzureCredential(managed_identity_client_id=client, transport=self._transport)

    def get_token(self, *scopes: str, **options: Any) -> "AccessToken":
        """A token, as older clients ask for it."""
        from azure.core.credentials import AccessToken

        info = self.get_token_info(*scopes, options=options)
        return AccessToken(info.token, info.expires_on)

    def get_token_info(self, *scopes: str, options: Any = None) -> "AccessTokenInfo":
        """A token: the one there is, while it holds.

        Raises:
            AzureError: there is no identity, or the endpoint stays busy; that has the code `BUSY`.
        """
        key = (*self._key, *scopes)
        with self._lock:
            token = _tokens.get(key)
            if token is None or (options or {}).get("claims") or token.expires_on - time.time() < _MARGIN:
                token = _tokens[key] = self._ask(scopes, options)
        return token

    def close(self) -> None:
        """Nothing: others use it too."""

    def _ask(self, scopes: tuple[str, ...], options: Any) -> "AccessTokenInfo":
        from azure.core.exceptions import ClientAuthenticationError, HttpResponseError

        for _ in range(_TRIES):
            try:
                token: AccessTokenInfo = self.source.get_token_info(*scopes, options=options)
            except ClientAuthenticationError:
                if self._transport.asked_to_wait is None:  # as the last answer left it: some are kept and not asked for
                    raise
                time.sleep(self._transport.asked_to_wait)
            else:
                return token
        busy: Any = HttpResponseError("whoever gives tokens here is busy")
        busy.status_code, busy.error_code = 429, BUSY
        raise busy


def identity(tenant: str | None, client: str | None, secret: str | None) -> Identity:
    """The one credential of this process for an identity."""
    return _identity(os.getpid(), tenant, client, secret)  # connections are not shared with a forked process


@lru_cache(maxsize=8)
def _identity(process: int, tenant: str | None, client: str | None, secret: str | None) -> Identity:
    return Identity(tenant, client, secret)


def _transport() -> Any:
    """A transport that remembers whether the last answer asked for patience, and for how many seconds."""
    from azure.core.pipeline.policies import RetryPolicy
    from azure.core.pipeline.transport import RequestsTransport

    class Transport(RequestsTransport):  # type: ignore[misc]
        asked_to_wait: float | None = None

        def send(self, request: Any, **options: Any) -> Any:
            response = super().send(request, **options)
            self.asked_to_wait = None
            if response.status_code in (429, 503):
                text = response.headers.get("Retry-After", "")
                self.asked_to_wait = min(_LONGEST, RetryPolicy().parse_retry_after(text) if text else _PAUSE)
            return response

    return Transport()
