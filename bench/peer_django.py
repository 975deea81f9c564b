"""The peer of the OAuth benchmark: django-oauth-toolkit on SQLite, with the same durability as ours.

python bench/peer_django.py FOLDER COUNT   makes the database, prints its clients and COUNT tokens as JSON
gunicorn --pythonpath bench 'peer_django:application("FOLDER")'
"""

import json
import sys
from datetime import timedelta
from pathlib import Path
from types import ModuleType

import django
from django.conf import settings
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import include, path


def application(folder: str) -> object:
    """Set Django up on a folder and give its WSGI application."""
    _configure(Path(folder))
    return get_wsgi_application()


def _configure(folder: Path) -> None:
    urls = sys.modules["peer_urls"] = ModuleType("peer_urls")
    settings.configure(
        SECRET_KEY="for the benchmark",
        ALLOWED_HOSTS=["127.0.0.1"],
        ROOT_URLCONF="peer_urls",
        USE_TZ=True,
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "oauth2_provider"],
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": str(folder / "peer.db"),
                "CONN_MAX_AGE": None,
                "OPTIONS": {
                    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
                    "transaction_mode": "IMMEDIATE",
                    "timeout": 20,
                },
            }
        },
        OAUTH2_PROVIDER={
            "SCOPES": {"read": "Read", "introspection": "Introspect"},
            "ROTATE_REFRESH_TOKEN": True,
            "ACCESS_TOKEN_EXPIRE_SECONDS": 3600,
            "REFRESH_TOKEN_GRACE_PERIOD_SECONDS": 0,
        },
    )
    django.setup()
    # Only now: what is included asks for the settings.
    urls.urlpatterns = [
        path("livez", lambda _request: HttpResponse("ok")),
        path("o/", include("oauth2_provider.urls", namespace="oauth2_provider")),
    ]


def _prepare(folder: Path, count: int) -> None:
    _configure(folder)
    call_command("migrate", verbosity=0)
    from django.contrib.auth.models import User  # noqa: PLC0415  # only once Django is set up
    from django.utils import timezone  # noqa: PLC0415
    from oauth2_provider.models import AccessToken, Application, RefreshToken  # noqa: PLC0415

    user = User.objects.create_user("ann")
    # Its default, a slow hash of the secret at each request, would be all that is measured.
    secret = "a-secret-for-the-benchmark"
    machine = Application.objects.create(
        name="machine",
        user=user,
        client_type="confidential",
        authorization_grant_type="client-credentials",
        client_secret=secret,
        hash_client_secret=False,
    )
    web = Application.objects.create(
        name="web",
        user=user,
        client_type="confidential",
        authorization_grant_type="authorization-code",
        redirect_uris="https://app.example/cb",
        client_secret=secret,
        hash_client_secret=False,
    )
    expires = timezone.now() + timedelta(hours=1)
    refresh = []
    for number in range(count):
        access = AccessToken.objects.create(
            user=user, application=web, token=f"access-{number}", expires=expires, scope="read"
        )
        token = RefreshToken.objects.create(user=user, application=web, token=f"refresh-{number}", access_token=access)
        refresh.append(token.token)
    document = {
        "machine": [machine.client_id, secret],
        "web": [web.client_id, secret],
        "refresh": refresh,
        "access": "access-0",
    }
    print(json.dumps(document))


if __name__ == "__main__":
    _prepare(Path(sys.argv[1]), int(sys.argv[2]))
