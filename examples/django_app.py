"""Three addresses of Django: for anybody, for users, and by Django REST framework for users with a role and a scope."""

import sys

import django
from django.conf import settings
from django.core.management import execute_from_command_line
from django.http import HttpRequest, JsonResponse
from django.urls import path

from latchgate.middleware import PUBLIC
from latchgate.middleware.django import require

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="of no use in this example",
    INSTALLED_APPS=["rest_framework"],
    MIDDLEWARE=["latchgate.middleware.django.LatchgateMiddleware", "django.middleware.common.CommonMiddleware"],
    LATCHGATE={"requires": PUBLIC},
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": ["latchgate.middleware.rest_framework.LatchgateAuthentication"],
        "UNAUTHENTICATED_USER": None,
    },
)
django.setup()

from rest_framework.decorators import api_view, permission_classes  # noqa: E402  # once Django is set up
from rest_framework.request import Request  # noqa: E402  # as above
from rest_framework.response import Response  # noqa: E402  # as above

from latchgate.middleware.rest_framework import requires  # noqa: E402  # as above


def health(request: HttpRequest) -> JsonResponse:
    """Answer anybody."""
    return JsonResponse({"healthy": True})


@require(scope="*")
def whoami(request: HttpRequest) -> JsonResponse:
    """Answer users."""
    return JsonResponse({"user": request.latchgate.user})


@api_view()
@permission_classes([requires(role="Reports", scope="reports")])
def reports(request: Request) -> Response:
    """Answer users who have the role, by a credential that has the scope."""
    return Response({"reports_for": request.auth.user})


urlpatterns = [path("health", health), path("whoami", whoami), path("reports", reports)]

if __name__ == "__main__":
    execute_from_command_line(sys.argv)
