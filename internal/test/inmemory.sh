#!/bin/sh
# sh inmemory.sh COMMAND... runs COMMAND with its temporary files in memory, if Linux has enough of it:
# tests write many small files and sync each, for which a disk needs most of the time.
# The directory has the same name each time, because go test takes an old result only for the same TMPDIR.
set -u
memory=/dev/shm/ecrkit-test-$(id -u)

# prepared reports whether the directory is ours alone, has room and holds programs that can be run.
prepared() {
	test -z "${TMPDIR-}" && test -r /proc/meminfo || return 1
	test "$(awk '/^MemAvailable:/ { print $2 }' /proc/meminfo)" -ge 8388608 || return 1
	test -d "$memory" || mkdir -m 700 "$memory" || return 1
	test -O "$memory" && ! test -L "$memory" || return 1
	test "$(df -P -k "$memory" | awk 'NR == 2 { print $4 }')" -ge 4194304 || return 1
	printf '#!/bin/sh\n' >"$memory/run.$$" && chmod 700 "$memory/run.$$" && "$memory/run.$$"
	result=$?
	rm -f "$memory/run.$$"
	return $result
}

if prepared 2>/dev/null; then
	find "$memory" -mindepth 1 -maxdepth 1 -mtime +0 -exec rm -rf {} + # what killed processes left a day ago
	export TMPDIR="$memory" GOTMPDIR="${GOTMPDIR:-/tmp}"               # what is built is large
fi
"$@"
result=$?
rmdir "$memory" 2>/dev/null # unless other tests are using it
exit $result
