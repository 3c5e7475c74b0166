# What the scripts share. Sourced, POSIX sh.
root=${TIDEGATE_HOST_ROOT:-}
app=$root/opt/webapp
state=$root/var/lib/webapp
settings=$state/settings
pid_file=$state/server.pid
log=$state/server.log
python=$(command -v /usr/bin/python3 || command -v python3) || { echo "this host has no python3" >&2; exit 1; }

# The server's process id when it runs; a pid that now belongs to another program does not count.
running_pid() {
    [ -s "$pid_file" ] || return 1
    pid=$(cat "$pid_file")
    tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep -q -F "$app/server.py" || return 1
    echo "$pid"
}

# Whether a process has not ended yet. Its command line goes first, its sockets later: only then is it a zombie
# or gone, and its port free for the next server.
alive() {
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    case ${stat##*) } in Z*|X*) return 1 ;; esac
}
