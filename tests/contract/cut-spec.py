#!/usr/bin/env python3
"""Cut GitHub's OpenAPI description to the operations perfgate uses, and make it strict.

usage: cut-spec.py IN.json OUT.json
"""
import json, re, sys

KEEP = {
    "/repos/{owner}/{repo}/issues/{issue_number}/comments": ["get", "post"],
    "/repos/{owner}/{repo}/issues/comments/{comment_id}": ["get", "patch", "delete"],
    "/repos/{owner}/{repo}/check-runs": ["post"],
    "/repos/{owner}/{repo}/check-runs/{check_run_id}": ["get", "patch"],
    "/repos/{owner}/{repo}/commits/{ref}/check-runs": ["get"],
    "/repos/{owner}/{repo}/statuses/{sha}": ["post"],
    "/repos/{owner}/{repo}/commits/{ref}/statuses": ["get"],
    "/repos/{owner}/{repo}/commits/{commit_sha}/pulls": ["get"],
    "/repos/{owner}/{repo}/pulls": ["get"],
    "/repos/{owner}/{repo}/pulls/{pull_number}": ["get"],
    "/repos/{owner}/{repo}/contents/{path}": ["get"],
    "/repos/{owner}/{repo}/compare/{basehead}": ["get"],
    "/user": ["get"],
    "/rate_limit": ["get"],
}
COMMENT_MAX = 65536
VND = "application/vnd.github+json"

src, dst = sys.argv[1:3]
doc = json.load(open(src))
out = {"openapi": doc["openapi"], "info": doc["info"], "servers": [{"url": "/"}], "paths": {}}
for p, ops in KEEP.items():
    item = doc["paths"][p]
    out["paths"][p] = {m: item[m] for m in ops}
    if "parameters" in item:
        out["paths"][p]["parameters"] = item["parameters"]

# ---- transitive closure of $ref
comps = {}
todo = [out["paths"]]
seen = set()
while todo:
    n = todo.pop()
    if isinstance(n, dict):
        r = n.get("$ref")
        if isinstance(r, str) and r not in seen:
            seen.add(r)
            _, _, kind, name = r.split("/", 3)
            v = doc["components"][kind][name]
            comps.setdefault(kind, {})[name] = v
            todo.append(v)
        todo.extend(n.values())
    elif isinstance(n, list):
        todo.extend(n)
out["components"] = comps

# ---- strictness patches (each is a rule GitHub documents or enforces but the description leaves out)
def body_schema(path, method):
    return out["paths"][path][method]["requestBody"]["content"]["application/json"]["schema"]

for p, m in [("/repos/{owner}/{repo}/issues/{issue_number}/comments", "post"),
             ("/repos/{owner}/{repo}/issues/comments/{comment_id}", "patch")]:
    s = body_schema(p, m)
    s["properties"]["body"].update(maxLength=COMMENT_MAX, minLength=1)
    s["additionalProperties"] = False
s = body_schema("/repos/{owner}/{repo}/check-runs", "post")
# "status: completed requires a conclusion", and giving one sets status=completed
s.pop("oneOf", None)
s["allOf"] = [{"if": {"properties": {"status": {"const": "completed"}}, "required": ["status"]},
               "then": {"required": ["conclusion"]}}]
s["properties"]["head_sha"]["pattern"] = "^[0-9a-f]{40}$"
st = body_schema("/repos/{owner}/{repo}/statuses/{sha}", "post")
st["properties"]["description"]["maxLength"] = 140
if "per-page" in comps.get("parameters", {}):
    comps["parameters"]["per-page"]["schema"].update(minimum=1, maximum=100)
if "issue-number" in comps.get("parameters", {}):
    comps["parameters"]["issue-number"]["schema"]["minimum"] = 1

for p, item in out["paths"].items():
    for m, op in item.items():
        if m == "parameters":
            continue
        # Prism answers an invalid request with the declared 422 *example*, hiding the reason; without one it reports the violation.
        op["responses"].pop("422", None)
        op["responses"].pop("400", None)

# ---- GitHub's own example for a pull breaks its own schema (requested_teams[0]); Prism --errors turns that into a 500
def mend(pull):
    pull["requested_teams"] = []
    for side in ("head", "base"):
        pull[side]["repo"].setdefault("private", False)

mend(comps["examples"]["pull-request"]["value"])
for pull in comps["examples"]["pull-request-simple-items"]["value"]:
    mend(pull)

# ---- Prism takes an answer of the object media type for application/json, which knows no folder as an object
schema = out["paths"]["/repos/{owner}/{repo}/contents/{path}"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
schema.pop("discriminator")
schema["anyOf"] = schema.pop("oneOf") + [{"$ref": "#/components/schemas/content-tree"}]

# ---- every JSON response is also offered as the media type GitHub tells clients to ask for
def add_vnd(n):
    if isinstance(n, dict):
        c = n.get("content")
        if isinstance(c, dict) and "application/json" in c and "description" in n:
            c.setdefault(VND, c["application/json"])
            if "application/vnd.github.object" in c:
                c["application/vnd.github.object+json"] = c["application/vnd.github.object"]
        for v in n.values():
            add_vnd(v)
    elif isinstance(n, list):
        for v in n:
            add_vnd(v)
add_vnd(out["paths"])
add_vnd(comps.get("responses", {}))

# ---- GraphQL: not in the REST description; one shape, so that a wrong envelope fails
out["paths"]["/graphql"] = {"post": {
    "operationId": "graphql",
    "requestBody": {"required": True, "content": {"application/json": {"schema": {
        "type": "object", "required": ["query"], "additionalProperties": False,
        "properties": {"query": {"type": "string", "minLength": 1},
                       "variables": {"type": "object"}, "operationName": {"type": "string"}}}}}},
    "responses": {"200": {"description": "ok", "content": {"application/json": {
        "schema": {"type": "object"},
        "example": {"data": {"minimizeComment": {"minimizedComment": {"isMinimized": True}}}}}}}}}}
add_vnd(out["paths"]["/graphql"])

# ---- token required: a request without Authorization gets 401
out["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
out["security"] = [{"token": []}]
json.dump(out, open(dst, "w"), indent=1, sort_keys=True)
print(f"{len(out['paths'])} paths, {len(comps.get('schemas', {}))} schemas")
