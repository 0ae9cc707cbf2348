"""A server made with the official Python SDK, behind a login of that SDK: it registers clients, checks what it is asked
for, and agrees without a person."""

import secrets
import sys
import time

from mcp.server import MCPServer
from mcp.server.auth.provider import (
    AccessToken,
    AuthorizationCode,
    OAuthAuthorizationServerProvider,
    RefreshToken,
    construct_redirect_uri,
)
from mcp.server.auth.settings import AuthSettings, ClientRegistrationOptions, RevocationOptions
from mcp.shared.auth import OAuthToken
from mcp.types import ToolAnnotations

PORT = int(sys.argv[1])
HERE = f"http://127.0.0.1:{PORT}"
LIFETIME = 3600


class Logins(OAuthAuthorizationServerProvider):
    def __init__(self):
        self.clients, self.codes, self.tokens, self.refreshes = {}, {}, {}, {}

    async def get_client(self, client_id):
        return self.clients.get(client_id)

    async def register_client(self, client):
        self.clients[client.client_id] = client

    async def authorize(self, client, params):
        code = AuthorizationCode(
            code=secrets.token_urlsafe(32),
            client_id=client.client_id,
            scopes=params.scopes or [],
            expires_at=time.time() + 60,
            code_challenge=params.code_challenge,
            redirect_uri=params.redirect_uri,
            redirect_uri_provided_explicitly=params.redirect_uri_provided_explicitly,
            resource=params.resource,
        )
        self.codes[code.code] = code
        return construct_redirect_uri(str(params.redirect_uri), code=code.code, state=params.state, iss=HERE)

    async def load_authorization_code(self, client, code):
        return self.codes.get(code)

    async def exchange_authorization_code(self, client, code):
        del self.codes[code.code]
        return self.issue(client, code.scopes, code.resource)

    async def load_refresh_token(self, client, token):
        return self.refreshes.get(token)

    async def exchange_refresh_token(self, client, refresh, scopes):
        del self.refreshes[refresh.token]
        return self.issue(client, scopes, f"{HERE}/mcp")

    async def load_access_token(self, token):
        return self.tokens.get(token)

    async def revoke_token(self, token):
        self.tokens.clear()
        self.refreshes.clear()

    def issue(self, client, scopes, resource):
        ends = int(time.time()) + LIFETIME
        access, refresh = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        who = client.client_id
        self.tokens[access] = AccessToken(
            token=access, client_id=who, scopes=scopes, expires_at=ends, resource=resource
        )
        self.refreshes[refresh] = RefreshToken(token=refresh, client_id=who, scopes=scopes, expires_at=None)
        return OAuthToken(
            access_token=access, expires_in=LIFETIME, refresh_token=refresh, scope=" ".join(scopes)
        )


server = MCPServer(
    "guarded",
    version="1.0",
    auth_server_provider=Logins(),
    auth=AuthSettings(
        issuer_url=HERE,
        resource_server_url=f"{HERE}/mcp",
        validate_token_resource=True,
        required_scopes=["stock"],
        client_registration_options=ClientRegistrationOptions(enabled=True, valid_scopes=["stock"]),
        revocation_options=RevocationOptions(enabled=True),
    ),
)


@server.tool(annotations=ToolAnnotations(read_only_hint=True))
def stock(article: str) -> str:
    """Says how many pieces of an article there are."""
    return f"{len(article)} pieces"


server.run("streamable-http", host="127.0.0.1", port=PORT)
