"""The org on the wire: a real server, HTTP/1.1, TLS, and the control port."""

from __future__ import annotations

import http.client
import json
import ssl
import threading
from urllib.parse import urlencode, urlsplit

import pytest
import requests
import trustme

from rotator.sandbox.org.seed import ACME, GLOBEX, seed_org
from rotator.sandbox.org.server import OrgServer, start_servers
from tests.sandbox.client import JWT_BEARER, Sandbox, zip_of


@pytest.fixture
def box(clock, old, new):
    """A sandbox whose clock is the real one, and whose org is served."""
    org = seed_org(dict.fromkeys((ACME, GLOBEX, "Rotator_Deployer"), old.pem))
    with OrgServer(org) as server:
        sandbox = Sandbox(org, clock, old, new)
        org.instance_url = server.url
        sandbox.server = server
        yield sandbox


@pytest.fixture
def http_session():
    with requests.Session() as session:
        session.trust_env = False
        yield session


def login(box, session, key=None, app=ACME):
    form = {"grant_type": JWT_BEARER, "assertion": box.assertion(app, key)}
    return session.post(f"{box.server.url}/services/oauth2/token", data=form, timeout=5)


def control(box, session, method, path, body=None):
    return session.request(method, box.server.control_url + path, json=body, timeout=5)


def test_login_and_query_over_one_kept_connection(box, http_session):
    granted = login(box, http_session).json()
    assert granted["instance_url"] == box.server.url
    connection = http.client.HTTPConnection("127.0.0.1", urlsplit(box.server.url).port, timeout=5)
    for _ in range(3):
        headers = {"Authorization": f"Bearer {granted['access_token']}"}
        connection.request(
            "GET", "/services/data/v68.0/query?q=SELECT+Id+FROM+Account+LIMIT+1", headers=headers
        )
        kept = connection.sock
        reply = connection.getresponse()
        assert (reply.status, json.loads(reply.read())["totalSize"]) == (200, 1)
        assert connection.sock is kept
    connection.close()


@pytest.mark.parametrize("slashes", ["/", "//", "///"])
def test_slashes_too_many_before_a_path_do_no_harm(box, http_session, slashes):
    """Whoever takes the instance URL with a slash at its end asks so; the Salesforce CLI does."""
    token = login(box, http_session).json()["access_token"]
    connection = http.client.HTTPConnection("127.0.0.1", urlsplit(box.server.url).port, timeout=5)
    query = f"{slashes}services/data/v68.0/query?q=SELECT+Id+FROM+Account&next=//"
    connection.request("GET", query, headers={"Authorization": f"Bearer {token}"})
    reply = connection.getresponse()
    assert (reply.status, json.loads(reply.read())["totalSize"]) == (200, 5)
    connection.close()


def test_an_absolute_address_is_refused_all_the_same(box):
    connection = http.client.HTTPConnection("127.0.0.1", urlsplit(box.server.url).port, timeout=5)
    connection.request("GET", f"{box.server.url}/services/data")
    assert connection.getresponse().status == 400
    connection.close()


def test_a_form_in_chunks_is_read_whole(box, http_session):
    """The Salesforce CLI posts the token request with chunked transfer encoding."""
    form = urlencode({"grant_type": JWT_BEARER, "assertion": box.assertion()}).encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    pieces = (form[start : start + 50] for start in range(0, len(form), 50))
    reply = http_session.post(
        f"{box.server.url}/services/oauth2/token", data=pieces, headers=headers, timeout=5
    )
    assert reply.status_code == 200, reply.text


def test_a_multipart_deploy_in_chunks_is_read_whole(box, http_session):
    """Boundary, part names and order as recorded from the Salesforce CLI."""
    archive = zip_of({f"zip/{path}": text for path, text in box.globex_files(box.new.base64).items()})
    options = {
        "rollbackOnError": True,
        "ignoreWarnings": False,
        "checkOnly": False,
        "singlePackage": True,
        "purgeOnDelete": False,
    }
    body = b"".join([
        b'--sfdc\r\nContent-Disposition: form-data; name="file"; filename="package.xml"\r\n',
        b"Content-Type: application/zip\r\n\r\n", archive,
        b'\r\n--sfdc\r\nContent-Disposition: form-data; name="entity_content"\r\nContent-Type: application/json\r\n\r\n',
        json.dumps({"deployOptions": options}).encode(), b"\r\n--sfdc--\r\n",
    ])  # fmt: skip
    headers = {
        "Authorization": f"Bearer {box.deployer}",
        "Content-Type": "multipart/form-data; boundary=sfdc",
    }
    url = f"{box.server.url}/services/data/v68.0/metadata/deployRequest"
    reply = http_session.post(
        url, data=(body[at : at + 999] for at in range(0, len(body), 999)), headers=headers, timeout=5
    )
    assert reply.status_code == 201, reply.text
    done = http_session.get(
        f"{url}/{reply.json()['id']}?includeDetails=true", headers=headers, timeout=5
    ).json()
    assert done["deployResult"]["success"]
    assert login(box, http_session, box.new.key, GLOBEX).status_code == 200


def test_a_cut_connection_gives_no_answer_and_the_server_lives_on(box, http_session):
    control(box, http_session, "PUT", "/knobs", {"cut_rate": 1})
    for _ in range(5):
        with pytest.raises(requests.ConnectionError):
            login(box, http_session)
    control(box, http_session, "PUT", "/knobs", {"cut_rate": 0})
    assert login(box, http_session).status_code == 200


def test_a_kept_connection_stays_on_its_server_if_the_knob_says_so(box):
    box.org.set_knobs(sticky_connections=True, propagation_seconds=1000)
    box.deploy(box.acme_files(box.new.base64))
    now = box.org.elapsed()
    box.org.clock.advance(sorted(box.org.app(ACME).slot.latest.arrivals)[1] - now)
    answers = set()
    for _ in range(6):
        with requests.Session() as session:
            session.trust_env = False
            seen = {login(box, session, box.new.key).status_code for _ in range(4)}
        assert len(seen) == 1
        answers |= seen
    assert answers == {200, 400}


def test_many_clients_are_served_at_once(box):
    seen = []

    def work():
        with requests.Session() as session:
            session.trust_env = False
            seen.extend(login(box, session).status_code for _ in range(5))

    threads = [threading.Thread(target=work) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [200] * 100


def test_the_org_speaks_tls_with_the_certificate_given(old, tmp_path, http_session):
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    chain, key, trusted = tmp_path / "chain.pem", tmp_path / "key.pem", tmp_path / "ca.pem"
    issued.cert_chain_pems[0].write_to_path(chain)
    issued.private_key_pem.write_to_path(key)
    authority.cert_pem.write_to_path(trusted)
    with OrgServer(seed_org({ACME: old.pem}), tls=(chain, key)) as server:
        assert server.url.startswith("https://")
        assert (
            http_session.get(f"{server.url}/services/data", verify=str(trusted), timeout=5).status_code == 200
        )
        with pytest.raises(requests.exceptions.SSLError):
            http_session.get(f"{server.url}/services/data", timeout=5)
        context = ssl.create_default_context(cafile=str(trusted))
        assert context.verify_mode is ssl.CERT_REQUIRED


def test_stopping_frees_the_ports_and_leaves_no_thread(old):
    before = threading.active_count()
    server = OrgServer(seed_org({ACME: old.pem})).start()
    port = urlsplit(server.url).port
    server.stop()
    server.stop()
    assert threading.active_count() == before
    with OrgServer(server.org, port=port) as again:
        assert urlsplit(again.url).port == port


def test_a_taken_port_is_an_error_and_leaves_nothing_running(box):
    before = threading.active_count()
    with pytest.raises(OSError, match="in use"):
        OrgServer(seed_org(), control_port=urlsplit(box.server.url).port).start()
    assert threading.active_count() == before


def test_slowness_ends_when_the_server_stops(old):
    server = OrgServer(seed_org({ACME: old.pem})).start()
    server.org.set_knobs(slow_seconds=3600)
    seen = []

    def call():
        with requests.Session() as session:
            session.trust_env = False
            seen.append(session.get(f"{server.url}/services/data", timeout=30).status_code)

    thread = threading.Thread(target=call)
    thread.start()
    while not server.org.counts["slowed"]:
        threading.Event().wait(0.01)
    server.stop()
    thread.join()
    assert seen == [200]


def test_apps_of_one_server_are_foreign_to_the_others(clock, old, new, http_session):
    servers = start_servers([seed_org({ACME: old.pem}, name=name) for name in ("One", "Two")])
    try:
        one, two = servers
        assert one.org.org_id != two.org.org_id
        assertion = Sandbox(one.org, clock, old, new).assertion()
        form = {"grant_type": JWT_BEARER, "assertion": assertion}
        reply = http_session.post(f"{two.url}/services/oauth2/token", data=form, timeout=5)
        assert reply.json()["error"] == "app_not_found"
    finally:
        for server in servers:
            server.stop()


# --- the control port ---------------------------------------------------------------------------


def test_knobs_are_read_set_and_explained_at_the_control_port(box, http_session):
    assert control(box, http_session, "GET", "/knobs").json()["servers"] == 3
    assert control(box, http_session, "PUT", "/knobs", {"servers": 5}).json()["servers"] == 5
    assert box.org.knobs.servers == 5
    refused = control(box, http_session, "PUT", "/knobs", {"servers": 6, "sirvers": 1})
    assert (refused.status_code, refused.json()[0]["errorCode"]) == (400, "BAD_KNOB")
    assert box.org.knobs.servers == 5
    assert control(box, http_session, "GET", "/knobs/meanings").json()["servers"]["default"] == 3


def test_the_state_shows_slots_sessions_deploys_and_counts_and_no_secret(box, http_session):
    token = login(box, http_session).json()["access_token"]
    login(box, http_session, box.new.key)
    box.deploy(box.globex_files(box.new.base64))
    reply = control(box, http_session, "GET", "/state")
    state = reply.json()
    assert state["apps"][ACME]["servers"] == [box.old.fingerprint] * 3
    assert state["apps"][GLOBEX]["fingerprint"] == box.new.fingerprint
    assert state["sessions"]["integration@acme.example"] == 1
    assert [deploy["status"] for deploy in state["deploys"]] == ["Succeeded"]
    assert state["counts"]["refused: invalid_grant: invalid assertion"] == 1
    for secret in (token, box.org.app(ACME).consumer_secret):
        assert secret not in reply.text


def test_sessions_can_be_killed_by_user(box, http_session):
    token = login(box, http_session).json()["access_token"]
    assert control(box, http_session, "POST", "/sessions/kill", {"user": "nobody"}).json() == {"ended": 0}
    assert control(
        box, http_session, "POST", "/sessions/kill", {"user": "integration@acme.example"}
    ).json() == {"ended": 1}
    assert not box.works(token)


def test_a_certificate_can_be_replaced_and_cleared_by_hand(box, http_session):
    for app in (ACME, GLOBEX):
        shown = control(box, http_session, "POST", "/certificate", {"app": app, "pem": box.new.pem}).json()
        assert shown["fingerprint"] == box.new.fingerprint
        assert login(box, http_session, box.new.key, app).status_code == 200
        assert (
            control(box, http_session, "POST", "/certificate/clear", {"app": app}).json()["fingerprint"]
            is None
        )
        assert login(box, http_session, box.new.key, app).json()["error_description"] == "invalid assertion"
    assert control(box, http_session, "POST", "/certificate", {"app": ACME, "pem": "x"}).status_code == 400
    assert control(box, http_session, "POST", "/certificate/clear", {"app": "No"}).status_code == 404


def test_an_app_can_be_deleted_and_its_sessions_go_with_it(box, http_session):
    acme, globex = (login(box, http_session, app=app).json()["access_token"] for app in (ACME, GLOBEX))
    assertion = box.assertion(ACME)
    assert control(box, http_session, "POST", "/apps/delete", {"app": ACME}).json() == {"ended": 1}
    assert (box.works(acme), box.works(globex)) == (False, True)
    assert box.refusal(box.post_assertion(assertion)) == ("invalid_client_id", "client identifier invalid")
    assert control(box, http_session, "POST", "/apps/delete", {"app": ACME}).status_code == 404


def test_users_can_be_added_and_changed(box, http_session):
    body = {
        "username": "late@acme.example",
        "permission_sets": ["Rotator_Integration"],
        "permissions": ["ApiEnabled"],
    }
    assert control(box, http_session, "POST", "/users", body).status_code == 200
    assert box.mint(sub="late@acme.example").status_code == 200
    control(box, http_session, "POST", "/users", {"username": "late@acme.example", "active": False})
    assert box.mint(sub="late@acme.example").status_code == 400
    for bad in (
        {"username": "a", "permissions": ["Fly"]},
        {"username": "a", "wings": 2},
        {"username": "a", "active": 1},
        {"username": "a", "login_ip_ranges": ["x"]},
        {},
    ):
        assert control(box, http_session, "POST", "/users", bad).status_code == 400


def test_accounts_can_be_added_and_their_numbers_go_on(box, http_session):
    assert control(box, http_session, "POST", "/accounts", {"add": 2000}).json() == {"accounts": 2005}
    assert control(box, http_session, "POST", "/accounts", {"add": 1}).json() == {"accounts": 2006}
    names = [account["Name"] for account in box.org.accounts]
    assert (len(set(names)), names[-1]) == (2006, "Account 2006")
    for bad in ({"add": -1}, {"add": 1.5}, {"add": True}, {"add": 10**9}, {}):
        refused = control(box, http_session, "POST", "/accounts", bad)
        assert (refused.status_code, refused.json()[0]["errorCode"]) == (400, "BAD_COUNT")


def test_time_can_be_advanced_and_the_clock_set_wrong(box, http_session):
    token = login(box, http_session).json()["access_token"]
    control(box, http_session, "POST", "/clock", {"advance_seconds": 7200})
    assert not box.works(token)
    assert control(box, http_session, "POST", "/clock", {"offset_seconds": 60}).json()["offset_seconds"] == 60
    for bad in ({"advance_seconds": -1}, {"offset_seconds": "x"}, {"advance_seconds": "x"}):
        assert control(box, http_session, "POST", "/clock", bad).status_code == 400


def test_a_reset_ends_sessions_and_forgets_knobs(box, http_session):
    token = login(box, http_session).json()["access_token"]
    control(box, http_session, "PUT", "/knobs", {"deploy_seconds": 9})
    assert control(box, http_session, "POST", "/reset", {}).json()["deploys"] == []
    assert control(box, http_session, "GET", "/knobs").json()["deploy_seconds"] == 0
    assert not box.works(token)


def test_what_is_no_json_object_is_refused_by_the_control_port(box, http_session):
    reply = http_session.put(f"{box.server.control_url}/knobs", data="nonsense", timeout=5)
    assert (reply.status_code, reply.json()[0]["errorCode"]) == (400, "BAD_JSON")
