import pytest

from tidegate_local.hosts.mounts import Mount, has_mounts_below, overlay_options, parse_mountinfo, to_cover


def line(number, parent, point, kind="ext4"):
    return f"{number} {parent} 8:1 / {point} rw,relatime shared:1 - {kind} /dev/sda1 rw"


def info(*lines):
    return parse_mountinfo("\n".join(lines) + "\n")


def test_lines_in_any_order_give_outer_mounts_first():
    found = info(line(22, 27, "/proc", "proc"), line(31, 30, "/data/db"), line(30, 27, "/data"), line(27, 1, "/"))
    assert [mount.point for mount in found] == ["/", "/proc", "/data", "/data/db"]


def test_the_later_of_two_mounts_at_one_point_is_seen():
    found = info(line(27, 1, "/"), line(30, 27, "/data", "tmpfs"), line(31, 30, "/data", "xfs"))
    assert found == [Mount("/", "ext4"), Mount("/data", "xfs")]


def test_what_lies_below_a_covered_point_is_not_seen():
    found = info(line(27, 1, "/"), line(30, 27, "/a/b"), line(31, 27, "/a"))
    assert [mount.point for mount in found] == ["/", "/a"]


def test_octal_escapes_are_read():
    assert info(line(27, 1, "/"), line(30, 27, r"/my\040disk"))[1].point == "/my disk"


def test_fresh_folders_and_the_hosts_own_workings_are_not_covered():
    points = [
        "/",
        "/proc",
        "/sys/fs/cgroup",
        "/dev/shm",
        "/run/user/1",
        "/tmp/x",
        "/home/me/data",
        "/home",
        "/state/hosts/stage",
    ]
    chosen = to_cover([Mount(point, "tmpfs") for point in points], ["/state/hosts"])
    assert [mount.point for mount in chosen] == ["/home", "/home/me/data"]


@pytest.mark.parametrize(("path", "expected"), [("/", True), ("/home", True), ("/home/me", False), ("/hom", False)])
def test_mounts_below(path, expected):
    assert has_mounts_below(path, ["/home/me"]) is expected


def test_overlay_options_escape_separators():
    options = overlay_options(["/a:b", "/c,d"], "/up", "/work", user=True)
    assert options == r"lowerdir=/a\:b:/c\,d,upperdir=/up,workdir=/work,userxattr"
