# SPDX-License-Identifier: GPL-2.0-or-later
#
# For suites in bash. A test is a function that prints why it fails, or nothing; its name is the test's.
passed=0 failed=0 skipped=0

# check TEST [ARGUMENT...]: runs it and counts it. Returns whether it passed.
check() {
	local why
	why=$("$@" 2>&1)
	if [ -z "$why" ]; then
		echo "ok $1"
		passed=$((passed + 1))
	else
		echo "not ok $1 - $why"
		failed=$((failed + 1))
		false
	fi
}

# skip TEST REASON
skip() {
	echo "skip $1 - $2"
	skipped=$((skipped + 1))
}

# Closes the suite with its count.
end() {
	echo "$passed passed, $failed failed, $skipped skipped"
	[ "$failed" = 0 ]
	exit
}
