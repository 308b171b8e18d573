"""finally-run-lock-etcd with a real etcd."""

import collections
import contextlib
import os
import re
import signal
import subprocess
import time
import unittest

import processes
from lock_helper import LIBEXEC, Behaviour, LockHelper, OwnServer
from lock_run import Race, Runs
from network import enter_private_network
from scenario import need

PORTS = (2379, 2479, 2579)  # of the clients of each member; the next one is for its peers


def setUpModule():
    enter_private_network()
    processes.before_other_work()


class WithEtcd(LockHelper):
    engine = "etcd"
    client = ("etcdctl", "etcd-client")
    address = "127.0.0.1"  # of its clients

    @classmethod
    def setUpClass(cls):
        cls.etcd = need("etcd", "etcd-server")
        need("etcdctl", "etcd-client")

    def start_member(self, port, ports):
        words = (self.etcd, "--name", str(port), "--data-dir", str(self.dir / f"etcd-{port}"), "--unsafe-no-fsync")
        words += ("--listen-client-urls", f"http://{self.address}:{port}")
        words += ("--listen-peer-urls", f"http://127.0.0.1:{port + 1}")
        words += ("--advertise-client-urls", f"http://{self.address}:{port}")
        words += ("--initial-advertise-peer-urls", f"http://127.0.0.1:{port + 1}")
        words += ("--initial-cluster", ",".join(f"{port}=http://127.0.0.1:{port + 1}" for port in ports))
        words += ("--heartbeat-interval", "20", "--election-timeout", "200")
        log = self.dir / f"etcd-{port}.log"
        log.write_text("")
        return self.start("sh", "-c", 'exec "$@" 2>"$0"', str(log), *words, service=True), log

    def is_ready(self, log):
        self.wait_until("etcd is there", lambda: "ready to serve client requests" in log.read_text())

    def etcdctl(self, *words):
        return subprocess.run(["etcdctl", *words], env=self.env, check=True, capture_output=True, text=True).stdout

    def keys(self, prefix="/finally-run/"):
        return self.etcdctl("get", "--prefix", "--keys-only", prefix).split()

    def unclean(self):
        return self.keys("/finally-run/unclean/")

    def take_orders(self, **options):
        super().take_orders(need("etcdctl", "etcd-client"), **options)


class OneEtcd(WithEtcd):
    def setUp(self):
        self.start_server()

    def start_server(self):
        self.server, log = self.start_member(PORTS[0], PORTS[:1])
        self.is_ready(log)


class RunWithEtcd(Runs, OneEtcd):
    server_end = signal.SIGTERM

    def line(self):
        return self.recipe("lock-etcd")

    def test_it_is_lost_with_its_lease_or_its_key(self):
        races = {name: self.race(name, ttl=8) for name in ("key-deleted", "lease-revoked")}
        key = "/finally-run/lock/lease-revoked"
        lease = int(re.search(r'"Lease" : (\d+)', self.etcdctl("get", "-w", "fields", key))[1])
        for race, words in zip(
            races.values(), (("del", "/finally-run/lock/key-deleted"), ("lease", "revoke", f"{lease:x}"))
        ):
            began = time.monotonic()
            self.etcdctl(*words)
            self.lost(race)
            self.measured(f"{race.name}: until all is clean", time.monotonic() - began)
            # It was free at once: this is the engine's doing.
            race.second_is_in(after_the_first=False)


class Etcd(Behaviour, OwnServer, OneEtcd):
    server_end = signal.SIGKILL
    unanswered = "etcd: "

    def test_nothing_is_left_in_etcd(self):
        self.take_part()
        self.assertEqual(self.keys(), [])
        self.assertEqual(self.etcdctl("lease", "list").split(), ["found", "0", "leases"])

    def test_it_has_no_shared_locks(self):
        helper = self.contend(mode="shared")
        self.assertNotIn(helper.program.finish(), (0, 75))
        self.assertEqual(helper.program.err, "etcd has no shared locks\n")

    def test_it_is_lost_with_its_lease_or_its_key(self):
        for what, words in (
            ("key deleted", lambda: ("del", "/finally-run/lock/deploy")),
            ("lease revoked", lambda: ("lease", "revoke", self.etcdctl("lease", "list").split()[-1])),
        ):
            first = self.hold(ttl=8)
            self.etcdctl(*words())
            self.gives_up(first, None, what, time.monotonic())
            # This is the engine's doing: it is free at once, and what has begun meanwhile is said by nobody else.
            self.is_free()

    def test_begin_and_clean_of_a_lock_that_was_lost_change_nothing(self):
        for line in ("begin x", "clean"):
            first = self.hold(ttl=600)  # so that this is what it finds out by
            self.etcdctl("del", "/finally-run/lock/deploy")
            second = self.hold(ttl=60)
            second.write("begin second")
            self.wait_until_unclean()
            first.write(line)
            self.assertNotIn(first.program.finish(), (0, 75))
            self.assertIn("the lock was lost", first.last_error())
            self.assertEqual(self.etcdctl("get", "--print-value-only", "/finally-run/unclean/deploy"), "second\n")
            second.write("clean")
            self.assertEqual(second.leave(), 0)

    def test_a_client_that_is_stopped_or_killed_is_replaced(self):
        order, calls = self.dir / "order", self.dir / "calls"
        self.take_orders(before=f'echo "$*" >>"{calls}"')
        helper = self.hold(ttl=12, env={"ORDER": str(order)})
        for number in (signal.SIGSTOP, signal.SIGKILL):
            self.order(order, number)
            before = calls.read_text().count("keep-alive")
            self.wait_until("it is over", lambda: calls.read_text().count("keep-alive") >= before + 2)
        self.assertEqual(helper.leave(), 0)

    def test_a_waiter_lives_through_a_killed_client(self):
        first = self.hold()
        second = self.contend(ttl=self.short_ttl)
        processes.kill(self.client_of(second, "watch").pid)
        self.assertEqual(first.leave(), 0)
        second.held()
        self.assertEqual(second.leave(), 0)

    def test_a_server_that_is_stopped_for_a_while_or_started_anew(self):
        first = self.hold(ttl=16)
        second = self.contend(ttl=16)
        second.wait_for("waiting ")
        self.server.signal(signal.SIGSTOP)
        time.sleep(3)
        self.server.signal(signal.SIGCONT)
        self.server.signal(signal.SIGTERM)
        self.server.wait()
        self.start_server()
        self.go_on(first, second)

    def test_the_server_hangs(self):
        first = self.hold(ttl=self.short_ttl)
        since = time.monotonic()
        self.server.signal(signal.SIGSTOP)
        self.gives_up(first, None, "server stopped", since)
        self.server.signal(signal.SIGCONT)
        self.is_free()


class TwoNetworks(OneEtcd):
    address = "10.9.0.1"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        need("ip", "iproute2")
        if os.geteuid() != 0:
            raise unittest.SkipTest("only root can be in two networks at once")

    def setUp(self):
        other = self.start("unshare", "-n", "sleep", "infinity", service=True)
        here, there = (lambda pid=pid: os.readlink(f"/proc/{pid}/ns/net") for pid in ("self", other.pid))
        self.wait_until("it has a network of its own", lambda: there() != here())
        self.enter = ("nsenter", f"--net=/proc/{other.pid}/ns/net")
        link = ("ip", "link", "add", "here", "type", "veth", "peer", "name", "there", "netns", str(other.pid))
        for words in (
            link,
            ("ip", "address", "add", f"{self.address}/24", "dev", "here"),
            ("ip", "link", "set", "here", "up"),
            (*self.enter, "ip", "address", "add", "10.9.0.2/24", "dev", "there"),
            (*self.enter, "ip", "link", "set", "there", "up"),
        ):
            self.assertEqual(self.run_program(*words).status, 0, words)
        self.env["ETCDCTL_ENDPOINTS"] = f"{self.address}:{PORTS[0]}"
        self.start_server()

    def tearDown(self):
        self.run_program("ip", "link", "delete", "here")
        super().tearDown()

    def line(self):
        return self.recipe("lock-etcd")

    def test_a_machine_that_is_cut_off_has_cleaned_up_before_the_next_one_is_in(self):
        race = Race(self, ttl=8)
        race.start_first(*self.enter)
        self.wait_until_unclean()
        race.start_second()
        race.second.wait_for_err("waiting")
        began = time.monotonic()
        self.run_program(*self.enter, "ip", "link", "set", "there", "down")
        self.assertEqual(race.first.finish(), 121, race.first.transcript())
        self.measured("machine cut off: until it has cleaned up", time.monotonic() - began)
        race.wait_for("in second")
        self.measured("machine cut off: until the next is in", time.monotonic() - began)
        log = race.second_is_in()
        self.assertIn("rollback first: lock-lost, supervisor, lost", log)
        self.assertIn("rollback second: lost, next-holder, held", log)

    def contender(self, machine, prefix):
        state = self.dir / f"state.{machine}"
        state.mkdir(mode=0o700, exist_ok=True)
        env = {"PATH": f"{LIBEXEC}:{self.env['PATH']}", "FINALLY_RUN_STATE_DIR": str(state)}
        command = 'echo "in $FINALLY_RUN_LOCK_TOKEN" >>log; sleep .05; echo "out $FINALLY_RUN_LOCK_TOKEN" >>log'
        words = ("finally-run", "--lock", "etcd:deploy", "--cleanup", 'echo "clean $FINALLY_RUN_LOCK_TOKEN" >>log')
        return self.start(*prefix, *words, "--", "sh", "-c", command, env=env)

    def helpers(self):
        """How many there are in each network."""
        found = collections.Counter()
        for helper in self.find("finally-run-lock-etcd"):
            if helper.pid == helper.session:
                with contextlib.suppress(FileNotFoundError):  # it has ended just now
                    found[os.readlink(f"/proc/{helper.pid}/ns/net")] += 1
        return found

    def test_of_ten_contenders_one_at_a_time_is_in_and_two_at_most_are_at_the_engine(self):
        began = time.monotonic()
        contenders = []
        for _ in range(5):
            contenders += [self.contender("here", ()), self.contender("there", self.enter)]
        networks = set()

        def all_are_done():
            found = self.helpers()
            networks.update(found)
            self.assertLessEqual(max(found.values(), default=0), 1)
            return self.read("log").count("clean") == len(contenders)

        self.wait_until("all are done", all_are_done)
        for contender in contenders:
            self.assertEqual(contender.finish(), 0, contender.transcript())
        self.assertEqual(len(networks), 2)
        lines = [line.split() for line in self.read("log").splitlines()]
        self.assertEqual([word for word, _ in lines], ["in", "out", "clean"] * len(contenders))
        turns = [{int(token) for _, token in lines[at : at + 3]} for at in range(0, len(lines), 3)]
        self.assertTrue(all(len(turn) == 1 for turn in turns), turns)
        tokens = [turn.pop() for turn in turns]
        self.assertEqual(tokens, sorted(set(tokens)))
        self.measured("ten contenders in two networks", time.monotonic() - began)


class ThreeMembers(WithEtcd):
    def setUp(self):
        members = {port: self.start_member(port, PORTS) for port in PORTS}
        for _, log in members.values():
            self.is_ready(log)
        self.members = {port: program for port, (program, _) in members.items()}
        self.env["ETCDCTL_ENDPOINTS"] = ",".join(f"127.0.0.1:{port}" for port in PORTS)

    def kill(self, port):
        member = self.members.pop(port)
        member.signal(signal.SIGKILL)
        member.wait()

    def leader(self):
        for line in self.etcdctl("endpoint", "status", "-w", "fields").split("\n\n"):
            fields = dict(re.findall(r'^"(\w+)" : "?([^"\n]+)', line, re.MULTILINE))
            if fields.get("MemberID") == fields.get("Leader") and fields.get("Endpoint"):
                return int(fields["Endpoint"].rpartition(":")[2])
        return None

    def test_a_killed_leader_loses_nothing_and_a_lost_quorum_the_lock(self):
        first = self.hold(ttl=8)
        waiter = self.contend(ttl=8)
        waiter.wait_for("waiting ")
        self.kill(self.wait_until("one is the leader", self.leader))
        first.write("begin x")
        self.wait_until_unclean()
        since = time.monotonic()
        lost = next(iter(self.members))
        self.kill(lost)
        self.gives_up(first, None, "quorum lost", since)
        self.assertNotIn(waiter.finish(), (0, 75))
        self.assertFalse(waiter.has_said("held"))
        self.is_ready(self.start_member(lost, PORTS)[1])
        self.assertEqual(self.is_free()[-3:-1][0], "unclean x")
