// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Paths of cgroups as systemd, docker, podman, containerd, CRI-O, LXC and nspawn make them, with either cgroup driver.
 */
#include "tests/unit/assert.h"

#include "user/sockets/cgroup_identity.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define ID2 "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
#define UID "2d1f2d5c-0b1b-4b8c-9c5e-0a1b2c3d4e5f"
#define UID_ "2d1f2d5c_0b1b_4b8c_9c5e_0a1b2c3d4e5f"

static const struct {
	const char *name, *unit, *slice, *container, *pod; /* name: the path */
} rows[] = {
	{"", "", "", "", ""},
	{"/", "", "", "", ""},
	/* systemd */
	{"/system.slice/nginx.service", "nginx.service", "system.slice", "", ""},
	{"/init.scope", "init.scope", "", "", ""},
	{"/system.slice/system-postgresql.slice/postgresql@15-main.service", "postgresql@15-main.service",
	 "system-postgresql.slice", "", ""},
	{"/user.slice/user-1000.slice/session-4.scope", "session-4.scope", "user-1000.slice", "", ""},
	{"/user.slice/user-1000.slice/user@1000.service/app.slice/app-firefox-77.scope", "app-firefox-77.scope",
	 "app.slice", "", ""},
	{"/user.slice/user-1000.slice/user@1000.service/init.scope", "init.scope", "user-1000.slice", "", ""},
	{"/system.slice/nginx.service/workers", "nginx.service", "system.slice", "", ""}, /* Delegate=yes */
	{"/system.slice/_cpu.service", "cpu.service", "system.slice", "", ""},
	{"/system.slice/dev-hugepages.mount", "dev-hugepages.mount", "system.slice", "", ""},
	{"/system.slice", "", "system.slice", "", ""},
	{"/system.slice/.service", "", "system.slice", "", ""},
	{"/../../system.slice/a.service", "a.service", "system.slice", "", ""}, /* seen from another cgroup namespace */
	{"//system.slice//a.service/", "a.service", "system.slice", "", ""},
	{"/a\x1b[31m\xff.service", "a\x1b[31m\xff.service", "", "", ""},
	/* docker */
	{"/docker/" ID, "", "", ID, ""},
	{"/system.slice/docker-" ID ".scope", "docker-" ID ".scope", "system.slice", ID, ""},
	{"/system.slice/docker-" ID ".scope/init.scope", "init.scope", "system.slice", ID, ""},
	{"/system.slice/docker-" ID ".scope/system.slice/sshd.service", "sshd.service", "system.slice", ID, ""},
	{"/docker/" ID "/docker/" ID2, "", "", ID2, ""}, /* docker in docker */
	{"/docker/buildkit/" ID, "", "", ID, ""},
	{"/system.slice/docker.service", "docker.service", "system.slice", "", ""},
	{"/user.slice/user-1000.slice/user@1000.service/user.slice/docker-" ID ".scope", "docker-" ID ".scope",
	 "user.slice", ID, ""},
	/* podman */
	{"/machine.slice/libpod-" ID ".scope/container", "libpod-" ID ".scope", "machine.slice", ID, ""},
	{"/machine.slice/libpod-conmon-" ID ".scope", "libpod-conmon-" ID ".scope", "machine.slice", "", ""},
	{"/libpod_parent/libpod-" ID, "", "", ID, ""},
	{"/machine.slice/machine-libpod_pod_" ID ".slice/libpod-" ID2 ".scope", "libpod-" ID2 ".scope",
	 "machine-libpod_pod_" ID ".slice", ID2, ""},
	/* containerd, nerdctl, CRI-O, alone and under Kubernetes */
	{"/system.slice/nerdctl-" ID ".scope", "nerdctl-" ID ".scope", "system.slice", ID, ""},
	{"/default/" ID, "", "", ID, ""},
	{"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" UID_ ".slice/cri-containerd-" ID ".scope",
	 "cri-containerd-" ID ".scope", "kubepods-burstable-pod" UID_ ".slice", ID, UID},
	{"/kubepods.slice/kubepods-pod" UID_ ".slice/crio-" ID ".scope", "crio-" ID ".scope",
	 "kubepods-pod" UID_ ".slice", ID, UID},
	{"/kubepods.slice/kubepods-pod" UID_ ".slice/crio-conmon-" ID ".scope", "crio-conmon-" ID ".scope",
	 "kubepods-pod" UID_ ".slice", "", UID},
	{"/kubepods/burstable/pod" UID "/" ID, "", "", ID, UID},
	{"/kubepods/pod" UID "/" ID, "", "", ID, UID},
	{"/kubepods/besteffort/pod0123456789abcdef0123456789abcdef/" ID, "", "", ID,
	 "0123456789abcdef0123456789abcdef"},
	{"/system.slice/containerd.service/kubepods-besteffort-pod" UID_ ".slice:cri-containerd:" ID,
	 "containerd.service", "kubepods-besteffort-pod" UID_ ".slice", ID, UID},
	{"/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod" UID_ ".slice/cri-containerd-" ID ".scope",
	 "cri-containerd-" ID ".scope", "kubelet-kubepods-pod" UID_ ".slice", ID, UID}, /* kind */
	{"/pod" UID "/" ID, "", "", ID, ""},                                            /* not below kubepods */
	{"/kubepods/pod" UID "x/a", "", "", "", ""},
	/* LXC, LXD, Incus */
	{"/lxc/web1", "", "", "web1", ""},
	{"/lxc/web1/system.slice/nginx.service", "nginx.service", "system.slice", "web1", ""},
	{"/lxc.payload/web1", "", "", "web1", ""},
	{"/lxc.payload.web1/init.scope", "init.scope", "", "web1", ""},
	{"/lxc.monitor.web1", "", "", "", ""},
	{"/lxc.payload.web1/docker/" ID, "", "", ID, ""},
	/* nspawn, virtual machines */
	{"/machine.slice/machine-web\\x2d1.scope/payload/system.slice/a.service", "a.service", "system.slice", "web-1",
	 ""},
	{"/machine.slice/systemd-nspawn@web\\x2d1.service/payload", "systemd-nspawn@web\\x2d1.service", "machine.slice",
	 "web-1", ""},
	{"/machine.slice/machine-qemu\\x2d1\\x2dvm.scope/libvirt/emulator", "machine-qemu\\x2d1\\x2dvm.scope",
	 "machine.slice", "", ""},
	{"/machine.slice/machine-a\\x2.scope", "machine-a\\x2.scope", "machine.slice", "a\\x2", ""},
	{"/machine.slice/machine-a\\x00b.scope", "machine-a\\x00b.scope", "machine.slice", "a\\x00b", ""},
	/* what only looks like one */
	{"/docker/" ID "0", "", "", "", ""},
	{"/docker/0123456789abcdef", "", "", "", ""},
	{"/x" ID, "", "", "", ""},
	{"/ABCDEF6789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "", "", "", ""},
};

TEST(test_paths)
{
	FOR_EACH_ROW(rows, row) {
		struct cgroup_identity i;

		cgroup_identity_read(&i, row->name);
		assert_string_equal(i.unit, row->unit);
		assert_string_equal(i.slice, row->slice);
		assert_string_equal(i.container, row->container);
		assert_string_equal(i.pod, row->pod);
	}
}

/* /proc/PID/cgroup: of version 2, of version 1, of both at once, and of what is gone. */
TEST(test_hierarchies)
{
	static const struct {
		const char *name, *unit, *container;
	} texts[] = {
		{"0::/system.slice/nginx.service\n", "nginx.service", ""},
		{"0::/system.slice/nginx.service (deleted)\n", "nginx.service", ""},
		{"9:name=systemd:/system.slice/cron.service\n4:memory:/docker/" ID "\n0::/\n", "cron.service", ID},
		{"12:pids:/system.slice/a.service\n1:name=systemd:/user.slice/session-1.scope\n0::/user.slice/"
		 "session-1.scope\n",
		 "session-1.scope", ""},
		{"3:cpu:/lxc/web\n2:memory:/\n0::/b.service", "b.service", "web"},
		{"2:cpu:/a:b/docker/" ID "\n", "", ID},
		{"", "", ""},
		{"0::\n\nnonsense\n:\n::/c.service", "c.service", ""},
	};

	FOR_EACH_ROW(texts, row) {
		struct cgroup_identity i;

		cgroup_identity_of_process(&i, row->name);
		assert_string_equal(i.unit, row->unit);
		assert_string_equal(i.container, row->container);
	}
}

/* A name longer than any file's is none. */
TEST(test_long_names)
{
	struct cgroup_identity i;
	char path[2 * NAME_MAX];

	memset(path, 'a', sizeof(path));
	memcpy(path + sizeof(path) - 9, ".service", 9);
	cgroup_identity_read(&i, path);
	assert_string_equal(i.unit, "");
	memcpy(path, "machine-", 8);
	memcpy(path + sizeof(path) - 7, ".scope", 7);
	cgroup_identity_read(&i, path);
	expect_int(strlen(i.container), NAME_MAX);
}

int main(void)
{
	return run_unit_tests(NULL, NULL);
}
