// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * XDP is attached through links; tc through tcx links where the kernel has them (6.6), else through clsact filters. The
 * kernel removes links when the process ends. It keeps clsact filters: they are removed on every way out, and after
 * SIGKILL by the next start.
 */
#include <errno.h>
#include <limits.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>

#include "user/attach/attach.h"
#include "user/attach/entry_program.h"
#include "user/attach/interface_query.h"
#include "user/attach/link_create.h"
#include "user/helper/helper.h"

#ifndef ARPHRD_RAWIP
#define ARPHRD_RAWIP 519
#endif
#ifndef ARPHRD_IP6GRE
#define ARPHRD_IP6GRE 823
#endif

enum { LINK_XDP = 2, LINKS };

/* Drivers on which native XDP disables offloads that the traffic needs, by their name in ethtool. */
static const char *const no_xdp_drivers[] = {"veth",    "virtio_net", "tun",   "tap",
					     "bridge",  "bonding",    "team",  "dummy",
					     "macvlan", "ipvlan",     "vxlan", "802.1Q VLAN Support"};

/* ---- what kind of interface ---- */

/* Sets the driver's name, "" if unknown. True if the device is on a bus: a physical one. */
static bool interface_driver(const struct attachment *a, char driver[32])
{
	struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};
	struct ifreq ifr = {.ifr_data = (char *)&info};

	driver[0] = 0;
	if (interface_ioctl(a->netns.route, a->name, SIOCETHTOOL, &ifr))
		return false;
	memcpy(driver, info.driver, sizeof(info.driver));
	driver[31] = 0;
	return info.bus_info[0] && strcmp(info.bus_info, "N/A") != 0;
}

/*
 * Sets a->l3 and a->loopback by the link type. 0, -EAFNOSUPPORT for one that we cannot parse, or another negative
 * errno.
 */
static int interface_link(struct attachment *a, char *error, size_t error_size)
{
	struct ifreq ifr = {};
	int err = interface_ioctl(a->netns.route, a->name, SIOCGIFHWADDR, &ifr);

	if (err) {
		snprintf(error, error_size, "%s: cannot read its link type: %s", attach_label(a), strerror(-err));
		return err;
	}
	switch (ifr.ifr_hwaddr.sa_family) {
	case ARPHRD_LOOPBACK:
		a->loopback = true;
		return 0;
	case ARPHRD_ETHER:
		return 0;
	case ARPHRD_NONE:
	case ARPHRD_RAWIP:
	case ARPHRD_PPP:
	case ARPHRD_TUNNEL:
	case ARPHRD_TUNNEL6:
	case ARPHRD_SIT:
	case ARPHRD_IPGRE:
	case ARPHRD_IP6GRE:
		a->l3 = true;
		return 0;
	default:
		snprintf(error, error_size,
			 "%s: link type %d is neither Ethernet nor plain IP: watch the interface below "
			 "or above it",
			 attach_label(a), ifr.ifr_hwaddr.sa_family);
		return -EAFNOSUPPORT;
	}
}

const char *attach_label(const struct attachment *a)
{
	static char label[ATTACH_LABEL];

	if (!a->netns.number)
		return a->name;
	snprintf(label, sizeof(label), "%s/%s", a->netns.name, a->name);
	return label;
}

/* ---- which hook ---- */

/* The program's name, as its author gave it: "" where the kernel does not tell, as without CAP_SYS_ADMIN. */
static void program_name(uint32_t id, char name[BPF_OBJ_NAME_LEN])
{
	struct bpf_prog_info info = {};
	__u32 size = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(id);

	name[0] = '\0';
	if (fd < 0)
		return;
	if (!bpf_obj_get_info_by_fd(fd, &info, &size))
		memcpy(name, info.name, BPF_OBJ_NAME_LEN);
	close(fd);
}

#define OUR_PROGRAMS "tcpfin_" /* their names begin so */
#define XDP_TEXT 80

/* What is said of an XDP program that is attached already, and stays: its number, and whose it is. */
static void describe_xdp(uint32_t id, char text[XDP_TEXT])
{
	char name[BPF_OBJ_NAME_LEN];

	program_name(id, name);
	if (!*name)
		snprintf(text, XDP_TEXT, "XDP program %u is attached already", id);
	else if (!strncmp(name, OUR_PROGRAMS, strlen(OUR_PROGRAMS)))
		snprintf(text, XDP_TEXT, "XDP program %u is attached already (another tcpfin-trace's)", id);
	else
		snprintf(text, XDP_TEXT, "XDP program %u is attached already (%s)", id, name);
}

/* Chooses the hook for --hook=auto, and the reason: never interrupt or slow the traffic that is watched. */
static void choose_hook(struct attachment *a)
{
	char driver[32];
	bool on_bus = interface_driver(a, driver);
	uint32_t id = interface_xdp(a->netns.route, a->ifindex);

	a->hook = HOOK_TC;
	if (a->loopback) {
		snprintf(a->reason, sizeof(a->reason), "loopback: one direction shows every segment");
		return;
	}
	if (a->l3) {
		snprintf(a->reason, sizeof(a->reason), "no Ethernet header");
		return;
	}
	if (id) {
		describe_xdp(id, a->reason);
		return;
	}
	for (size_t i = 0; i < sizeof(no_xdp_drivers) / sizeof(no_xdp_drivers[0]); i++)
		if (!strcmp(driver, no_xdp_drivers[i])) {
			snprintf(a->reason, sizeof(a->reason), "native XDP would take offloads from %s", driver);
			return;
		}
	if (!on_bus) {
		snprintf(a->reason, sizeof(a->reason), "%s is no physical device", driver[0] ? driver : "this");
		return;
	}
	a->hook = HOOK_XDP;
	snprintf(a->reason, sizeof(a->reason), "physical device (%s)", driver);
}

int attach_plan(struct attachment *a, const struct attach_netns *netns, const char *name, enum hook hook, char *error,
		size_t error_size)
{
	int err;

	memset(a, 0, sizeof(*a));
	a->netns = *netns;
	a->links[0] = a->links[1] = a->links[LINK_XDP] = -1;
	snprintf(a->name, sizeof(a->name), "%s", name);
	a->ifindex = interface_index(netns->route, name);
	if (!a->ifindex) {
		snprintf(error, error_size, "%s: no such interface; `ip link` lists them", attach_label(a));
		return -ENODEV;
	}
	a->number = a->ifindex;
	err = interface_link(a, error, error_size);
	if (err)
		return err;
	if (hook == HOOK_AUTO) {
		choose_hook(a);
		return 0;
	}
	a->hook = hook;
	snprintf(a->reason, sizeof(a->reason), "as asked");
	if (hook != HOOK_TC && a->l3) {
		snprintf(error, error_size, "%s has no Ethernet header, which XDP needs: use --hook=tc",
			 attach_label(a));
		return -EOPNOTSUPP;
	}
	return 0;
}

/* ---- attaching ---- */

/* In another namespace the helper makes the link. */
static int ask_for_link(const struct attachment *a, enum entry entry, enum link_place place)
{
	const struct helper_question question = {.request = HELPER_LINK,
						 .namespace = a->netns.number,
						 .ifindex = a->ifindex,
						 .program = entry,
						 .place = place,
						 .interface = a->number};

	return helper_ask_descriptor(&question);
}

/* A link's descriptor, or a negative errno. */
static int make_link(const struct attachment *a, const struct attach_programs *p, enum entry entry,
		     enum link_place place)
{
	const int programs[ENTRIES] = {
		[ENTRY_XDP] = p->xdp, [ENTRY_TC] = p->tc, [ENTRY_TC_L3] = p->tc_l3, [ENTRY_TC_CLOSE] = p->tc_close};

	return a->netns.number ? ask_for_link(a, entry, place) : link_create(a->ifindex, programs[entry], place);
}

static int attach_xdp(struct attachment *a, const struct attach_programs *p, char *error, size_t error_size)
{
	bool native = a->hook == HOOK_XDP;
	int fd = make_link(a, p, ENTRY_XDP, native ? LINK_XDP_NATIVE : LINK_XDP_GENERIC), err;
	char holder[XDP_TEXT];
	uint32_t id;

	if (fd >= 0) {
		a->links[LINK_XDP] = fd;
		return 0;
	}
	err = fd;
	id = interface_xdp(a->netns.route, a->ifindex);
	if (id) {
		describe_xdp(id, holder);
		snprintf(error, error_size, "%s: %s and stays: use --hook=tc", attach_label(a), holder);
	} else if (native && (err == -EOPNOTSUPP || err == -EINVAL)) {
		snprintf(error, error_size, "%s: its driver has no native XDP: use --hook=tc or --hook=xdp-generic",
			 attach_label(a));
	} else {
		snprintf(error, error_size, "%s: cannot attach XDP: %s", attach_label(a), strerror(-err));
	}
	return err;
}

/* The link's id; 0 where the kernel does not report it. */
static uint32_t link_id(int fd)
{
	struct bpf_link_info info = {};
	uint32_t size = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &size) ? 0 : info.id;
}

/* A kernel with tcx looks for the interface; others do not know the kind of link. */
bool attach_has_tcx(int program)
{
	return link_create(INT_MAX, program, LINK_TC_IN) == -ENODEV;
}

/* Kernels without tcx: a filter, which nobody removes from another namespace once the program has ended. */
static int attach_filter(struct attachment *a, const struct attach_programs *p, enum entry entry, int direction)
{
	int program = entry == ENTRY_TC ? p->tc : entry == ENTRY_TC_L3 ? p->tc_l3 : p->tc_close, err;

	if (a->netns.number)
		return -EOPNOTSUPP;
	err = clsact_attach(a->ifindex, direction, program);
	a->filters += !err;
	return err;
}

static int attach_tc(struct attachment *a, const struct attach_programs *p, enum entry entry, int direction,
		     char *error, size_t error_size)
{
	int fd = make_link(a, p, entry, direction ? LINK_TC_OUT : LINK_TC_IN), err;

	if (fd >= 0) {
		a->links[direction] = fd;
		a->tcx[direction] = link_id(fd);
		return 0;
	}
	err = fd;
	if (fd == -EINVAL)
		err = attach_filter(a, p, entry, direction);
	if (err)
		snprintf(error, error_size, "%s: cannot attach to tc %s: %s", attach_label(a),
			 direction ? "egress" : "ingress",
			 err == -EOPNOTSUPP && a->netns.number ? "other network namespaces need tcx, of Linux 6.6"
							       : strerror(-err));
	return err;
}

int attach_start(struct attachment *a, const struct attach_programs *programs, char *error, size_t error_size)
{
	enum entry tc = a->l3 ? ENTRY_TC_L3 : ENTRY_TC;
	int err = 0;

	/*
	 * On loopback a packet passes egress, then ingress: one of them is enough. The program behind XDP is attached
	 * first: a FIN that XDP leaves to it finds it there.
	 */
	if (a->hook != HOOK_TC)
		err = attach_tc(a, programs, ENTRY_TC_CLOSE, 0, error, error_size);
	else if (!a->loopback)
		err = attach_tc(a, programs, tc, 0, error, error_size);
	if (!err && a->hook != HOOK_TC)
		err = attach_xdp(a, programs, error, error_size);
	if (!err && !(a->loopback && a->hook != HOOK_TC))
		err = attach_tc(a, programs, tc, 1, error, error_size);
	if (err)
		attach_stop(a);
	return err;
}

void attach_stop(struct attachment *a)
{
	for (int i = 0; i < LINKS; i++) {
		if (a->links[i] > 0)
			close(a->links[i]);
		a->links[i] = -1;
	}
	a->tcx[0] = a->tcx[1] = 0;
	if (a->filters)
		clsact_detach(a->ifindex);
	a->filters = 0;
	memset(a->before_us, 0, sizeof(a->before_us));
}

bool attach_needs_net_admin(const struct attachment *a)
{
	return a->filters;
}

/*
 * The index that the links' interface has in the namespace where it is now; 0 if the interface is gone or a link was
 * detached. Asking takes a lock (RTNL), so a deletion under way is waited for.
 */
static uint32_t links_ifindex(const struct attachment *a)
{
	uint32_t ifindex = 0;

	for (int i = 0; i < LINKS; i++) {
		struct bpf_link_info info = {};
		uint32_t size = sizeof(info);

		if (a->links[i] <= 0)
			continue;
		/* xdp.ifindex is at the same place as tcx.ifindex, which the headers do not have. */
		if (bpf_obj_get_info_by_fd(a->links[i], &info, &size))
			return a->ifindex; /* unknown: no false alarm */
		if (!info.xdp.ifindex)
			return 0;
		ifindex = info.xdp.ifindex;
	}
	return ifindex;
}

enum attach_state attach_state(struct attachment *a)
{
	bool links = a->links[0] > 0 || a->links[1] > 0 || a->links[LINK_XDP] > 0;
	uint32_t before = links ? links_ifindex(a) : a->ifindex;
	bool filters = !a->filters || clsact_attached(a->ifindex, a->filters, a->before_us);
	int err;

	/*
	 * The links were asked before the name: if they were off and the name is still there, somebody detached them;
	 * a deletion of the interface takes both.
	 */
	err = interface_name(a->netns.route, a->ifindex, a->name);
	if (err && err != -ENODEV)
		return ATTACH_UNKNOWN;
	if (err)
		return links && links_ifindex(a) ? ATTACH_MOVED : ATTACH_GONE;
	if (before && before != a->ifindex)
		return ATTACH_MOVED;
	return before && filters ? ATTACH_ON : ATTACH_OFF;
}

bool attach_is_up(const struct attachment *a)
{
	struct ifreq ifr = {};

	return interface_ioctl(a->netns.route, a->name, SIOCGIFFLAGS, &ifr) || ifr.ifr_flags & IFF_UP;
}

bool attach_has_address(const struct attachment *a)
{
	return interface_has_address(a->netns.route, a->ifindex);
}
