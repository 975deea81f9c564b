"""Three addresses of FastAPI: for anybody, for users, for users with a role whose credential has a scope."""

from typing import Annotated

from fastapi import Depends, FastAPI

from latchgate.middleware import PUBLIC, Identity
from latchgate.middleware.asgi import AsgiMiddleware
from latchgate.middleware.fastapi import require

app = FastAPI()
app.add_middleware(AsgiMiddleware, requires=PUBLIC)


@app.get("/health")
def health() -> dict[str, bool]:
    """Answer anybody."""
    return {"healthy": True}


@app.get("/whoami")
def whoami(identity: Annotated[Identity, Depends(require(scope="*"))]) -> dict[str, str]:
    """Answer users."""
    return {"user": identity.user}


@app.get("/reports")
def reports(identity: Annotated[Identity, Depends(require(role="Reports", scope="reports"))]) -> dict[str, str]:
    """Answer users who have the role, by a credential that has the scope."""
    return {"reports_for": identity.user}
