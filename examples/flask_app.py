"""Three addresses of Flask: one for anybody, one for users, one for users with a role whose credential has a scope."""

from flask import Flask

from latchgate.middleware import PUBLIC
from latchgate.middleware.flask import current_identity, require
from latchgate.middleware.wsgi import WsgiMiddleware

app = Flask(__name__)
app.wsgi_app = WsgiMiddleware(app.wsgi_app, requires=PUBLIC)


@app.get("/health")
def health() -> dict[str, bool]:
    """Answer anybody."""
    return {"healthy": True}


@app.get("/whoami")
@require(scope="*")
def whoami() -> dict[str, str]:
    """Answer users."""
    return {"user": current_identity().user}


@app.get("/reports")
@require(role="Reports", scope="reports")
def reports() -> dict[str, str]:
    """Answer users who have the role, by a credential that has the scope."""
    return {"reports_for": current_identity().user}
