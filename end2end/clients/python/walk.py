"""Walks Elastic's client for Python through everything this product needs.

Prints the name of each station when it is behind it, and stops with an
exception at the first thing that is not as it should be.
"""

import base64
import os
import warnings

from elasticsearch import (
    AuthenticationException,
    AuthorizationException,
    BadRequestError,
    Elasticsearch,
    NotFoundError,
    __versionstr__,
)

# The client turns a server's Warning header into a Python warning, and there
# should be none.
warnings.simplefilter("error")

URL = os.environ["ENGINE_URL"]
MAJOR = os.environ["MAJOR"]
assert __versionstr__.split(".")[0] == MAJOR, __versionstr__

DESCRIPTORS = {
    "apm": {
        "cluster": [],
        "indices": [],
        "applications": [
            {"application": "apm", "privileges": ["event:write"], "resources": ["*"]}
        ],
    }
}
METADATA = {"application": "apm", "team": "payments"}


def connect(**auth):
    return Elasticsearch(URL, max_retries=0, request_timeout=20, **auth)


def refuses(error, call, **arguments):
    try:
        call(**arguments)
    except error as refusal:
        return refusal
    raise AssertionError(f"{call} should have raised {error}")


elastic = connect(basic_auth=("elastic", os.environ["ELASTIC_PASSWORD"]))
security = elastic.security

assert elastic.ping()
assert elastic.info()["tagline"] == "You Know, for Search"
assert elastic.cluster.health()["timed_out"] is False
assert security.authenticate()["username"] == "elastic"
print("info")

name = f"python client {MAJOR}"
key = security.create_api_key(
    name=name, expiration="1d", role_descriptors=DESCRIPTORS, metadata=METADATA
)
assert base64.b64decode(key["encoded"]).decode() == f"{key['id']}:{key['api_key']}"
[got] = security.get_api_key(id=key["id"], with_limited_by=True)["api_keys"]
assert (got["name"], got["invalidated"], got["metadata"]) == (name, False, METADATA), got
for _ in range(4):
    security.create_api_key(name=name, role_descriptors=DESCRIPTORS, metadata=METADATA)
query = {"bool": {"filter": [{"term": {"name": name}}]}}
sort = [{"creation": {"order": "asc"}}, "name"]
page = security.query_api_keys(query=query, sort=sort, size=3)
assert (page["total"], page["count"]) == (5, 3), page
rest = security.query_api_keys(
    query=query, sort=sort, size=3, search_after=page["api_keys"][-1]["_sort"]
)
assert rest["total"] == 5, rest
assert security.update_api_key(id=key["id"], metadata={"application": "apm"})["updated"] is True
assert security.update_api_key(id=key["id"], metadata={"application": "apm"})["updated"] is False
gone = security.invalidate_api_key(ids=[key["id"]])
assert gone["invalidated_api_keys"] == [key["id"]] and gone["error_count"] == 0, gone
refuses(AuthenticationException, connect(api_key=key["encoded"]).security.authenticate)
print("api keys")

key = security.create_api_key(name=name, role_descriptors=DESCRIPTORS)
for form in (key["encoded"], (key["id"], key["api_key"])):
    by_key = connect(api_key=form).security
    assert by_key.authenticate()["api_key"]["id"] == key["id"]
    held = by_key.has_privileges(
        application=[
            {
                "application": "apm",
                "privileges": ["event:write", "config_agent:read"],
                "resources": ["-"],
            }
        ]
    )
    assert held["application"]["apm"]["-"] == {"event:write": True, "config_agent:read": False}
print("authentication by key")

username = f"python.granted.{MAJOR}"
security.put_user(username=username, password="correct horse", roles=["superuser"])
granted = security.grant_api_key(
    grant_type="password",
    username=username,
    password="correct horse",
    api_key={"name": "granted", "role_descriptors": DESCRIPTORS},
)
assert connect(api_key=granted["encoded"]).security.authenticate()["username"] == username
print("grant")

role = f"python_role_{MAJOR}"
created = security.put_role(
    name=role,
    cluster=["manage_own_api_key"],
    applications=DESCRIPTORS["apm"]["applications"],
)
assert created["role"]["created"] is True, created
assert security.get_role(name=role)[role]["cluster"] == ["manage_own_api_key"]
username = f"python.user.{MAJOR}"
assert security.put_user(
    username=username, password="correct horse", roles=[role], full_name="Mara Okafor"
)["created"]
assert security.get_user(username=username)[username]["roles"] == [role]
security.disable_user(username=username)
assert security.get_user(username=username)[username]["enabled"] is False
security.enable_user(username=username)
security.change_password(username=username, password="another horse")
own = connect(basic_auth=(username, "another horse")).security
assert own.has_privileges(cluster=["manage_own_api_key"])["has_all_requested"] is True
refuses(AuthorizationException, own.get_user, username="elastic")
assert security.delete_user(username=username)["found"] is True
refuses(NotFoundError, security.delete_user, username=username)
assert security.delete_role(name=role)["found"] is True
print("roles and users")

application = f"python{MAJOR}"
security.put_privileges(privileges={application: {"reader": {"actions": ["data:read/*"]}}})
reader = security.get_privileges(application=application)[application]["reader"]
assert reader["actions"] == ["data:read/*"], reader
assert security.delete_privileges(application=application, name="reader")[application]["reader"]["found"]
assert "manage_own_api_key" in security.get_builtin_privileges()["cluster"]
print("application privileges")

wrong = refuses(BadRequestError, security.create_api_key, name="_reserved")
assert wrong.body["error"]["type"] == "action_request_validation_exception", wrong.body
refuses(NotFoundError, security.get_api_key, id="no-such-key")
refuses(AuthenticationException, connect(basic_auth=("elastic", "wrong")).security.authenticate)
print("errors")
