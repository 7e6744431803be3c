#!/usr/bin/env bash
# t.sh ADDRESS: whether what answers there (Prism with gh-openapi-cut.json) still tells good requests from bad ones.
set -euo pipefail

BASE=$1
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
AUTHORIZATION=(-H 'Authorization: Bearer ghp_fake')
SHA=ce587453ced02b1526dfb4cb910479d431683101
WRONG=0
CASES=0

# r NAME STATUS CURL-ARGUMENT…: one request and the status that it must get.
r() {
    local name=$1 want=$2 got
    shift 2
    got=$(curl -s -o "$T/answer" -w '%{http_code}' ${AUTHORIZATION[@]+"${AUTHORIZATION[@]}"} \
        -H 'Accept: application/vnd.github+json' -H 'X-GitHub-Api-Version: 2022-11-28' -H 'User-Agent: perfgate' "$@")
    CASES=$((CASES + 1))
    [[ $got == "$want" ]] && return
    WRONG=$((WRONG + 1))
    printf 'wrong: %s: %s instead of %s: %s\n' "$name" "$got" "$want" "$(head -c 300 "$T/answer")"
}

# j NAME STATUS METHOD PATH BODY: one request with a JSON body.
j() { r "$1" "$2" -X "$3" -H 'Content-Type: application/json' "$BASE$4" -d "$5"; }

REPO=/repos/o/r
CHECK="\"name\":\"perfgate\",\"head_sha\":\"$SHA\""
NOTE='{"path":"a","start_line":1,"end_line":1,"annotation_level":"warning","message":"m"}'

j 'create comment' 201 POST $REPO/issues/7/comments '{"body":"<!-- perfgate-llm:v1 key=default --> hi"}'
j 'create comment: no body' 422 POST $REPO/issues/7/comments '{"text":"x"}'
j 'create comment: body is a number' 422 POST $REPO/issues/7/comments '{"body":5}'
j 'create comment: issue is a word' 422 POST $REPO/issues/abc/comments '{"body":"x"}'
j 'update comment' 200 PATCH $REPO/issues/comments/42 '{"body":"y"}'
j 'update comment: wrong field' 422 PATCH $REPO/issues/comments/42 '{"msg":"y"}'
j 'update comment by POST, as octocrab does' 405 POST $REPO/issues/comments/42 '{"body":"y"}'
r 'delete comment' 204 -X DELETE "$BASE$REPO/issues/comments/42"
r 'list comments' 200 "$BASE$REPO/issues/7/comments?per_page=100&page=2"
r 'list comments: page is a word' 422 "$BASE$REPO/issues/7/comments?per_page=100&page=two"
r 'list comments: since no date' 422 "$BASE$REPO/issues/7/comments?since=yesterday"
r 'list comments: 1,000 a page' 422 "$BASE$REPO/issues/7/comments?per_page=1000"
j 'create check' 201 POST $REPO/check-runs \
    "{$CHECK,\"status\":\"completed\",\"conclusion\":\"failure\",\"output\":{\"title\":\"t\",\"summary\":\"s\",\"annotations\":[$NOTE]}}"
j 'create check: completed without a conclusion' 422 POST $REPO/check-runs "{$CHECK,\"status\":\"completed\"}"
j 'create check: unknown conclusion' 422 POST $REPO/check-runs \
    "{$CHECK,\"status\":\"completed\",\"conclusion\":\"regressed\"}"
j 'create check: no commit' 422 POST $REPO/check-runs '{"name":"perfgate"}'
j 'create check: short commit' 422 POST $REPO/check-runs '{"name":"perfgate","head_sha":"ce58745"}'
python3 - "$SHA" "$NOTE" "$T" <<'EOF'
import json, sys
sha, note, folder = sys.argv[1:]
check = {"name": "p", "head_sha": sha, "status": "in_progress"}
def write(name, body):
    with open(f"{folder}/{name}", "w") as file:
        json.dump(body, file)
write("notes", check | {"output": {"title": "t", "summary": "s", "annotations": [json.loads(note)] * 51}})
write("summary", check | {"output": {"title": "t", "summary": "s" * 65536}})
write("comment", {"body": "a" * 65537})
EOF
j 'create check: 51 annotations' 422 POST $REPO/check-runs "@$T/notes"
j 'create check: 65,536 characters of summary' 422 POST $REPO/check-runs "@$T/summary"
j 'create check: unknown level' 422 POST $REPO/check-runs \
    "{$CHECK,\"output\":{\"title\":\"t\",\"summary\":\"s\",\"annotations\":[${NOTE/warning/error}]}}"
j 'create comment: 65,537 characters' 422 POST $REPO/issues/7/comments "@$T/comment"
j 'update check' 200 PATCH $REPO/check-runs/4 '{"status":"completed","conclusion":"success","output":{"summary":"s"}}'
j 'create status' 201 POST "$REPO/statuses/$SHA" '{"state":"success","context":"perfgate","description":"d"}'
j 'create status: unknown state' 422 POST "$REPO/statuses/$SHA" '{"state":"failed"}'
j 'create status: no state' 422 POST "$REPO/statuses/$SHA" '{}'
j 'create status: 141 characters' 422 POST "$REPO/statuses/$SHA" \
    "{\"state\":\"success\",\"description\":\"$(printf 'x%.0s' {1..141})\"}"
r 'get pull' 200 "$BASE$REPO/pulls/7"
r 'list pulls' 200 "$BASE$REPO/pulls?state=open&sort=updated&direction=desc&per_page=100&page=1"
r 'list pulls: unknown order' 422 "$BASE$REPO/pulls?sort=size"
j 'graphql' 200 POST /graphql '{"query":"mutation{x}","variables":{}}'
j 'graphql: no query' 422 POST /graphql '{"variables":{}}'
r 'unknown path' 404 "$BASE$REPO/nothing"
j 'unknown method' 405 PUT $REPO/issues/7/comments '{}'
r 'text instead of JSON' 415 -X POST -H 'Content-Type: text/plain' "$BASE$REPO/issues/7/comments" -d '{"body":"x"}'
AUTHORIZATION=()
r 'no token' 401 "$BASE$REPO/pulls/7"

printf '%d of %d requests were judged right\n' $((CASES - WRONG)) "$CASES"
((WRONG == 0))
