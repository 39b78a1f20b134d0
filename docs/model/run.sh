#!/usr/bin/env bash
# run.sh [NAME...] runs the models of this folder, and their mutants, with ProVerif, and compares each result with
# the one its file expects. A NAME is a model or a mutant without its ending; no NAME means all of them.
#
# A model, NAME.pv, has a line "EXPECT Q1=true Q2=false ..." with a word for each query, in the order of the file:
# true, false or unproved. A mutant, mutants/NAME-DEFENCE.sed, takes one defence out of NAME.pv; its line EXPECT has
# only what changes.
#
# Environment: PROVERIF, the program to run (default: proverif, from PATH); LIMIT, seconds a file (default: 600).
# Exit status: 0, all as expected; 1, something differs; 2, ProVerif is missing or a NAME is unknown.
set -euo pipefail
cd "$(dirname "$0")"
proverif=${PROVERIF:-proverif}
limit=${LIMIT:-600}

if ! command -v "$proverif" >/dev/null; then
	echo "error: no program $proverif: nothing was checked" >&2
	echo "hint: install ProVerif 2.05, or name it: PROVERIF=/path/to/proverif $0" >&2
	exit 2
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# expected FILE: the words after EXPECT, one a line.
expected() { sed -n 's/.*EXPECT \([^*]*\).*/\1/p' "$1" | tr ' ' '\n' | grep = || true; }

# overlay CHANGES: standard input with the values of CHANGES, and no more names than there were.
overlay() {
	changes=$1 awk -F= '
		BEGIN { n = split(ENVIRON["changes"], c, "\n"); for (i = 1; i <= n; i++) { split(c[i], p, "="); new[p[1]] = p[2] } }
		{ print $1 "=" ($1 in new ? new[$1] : $2); delete new[$1] }
		END { for (k in new) if (k != "") print "unknown-name-" k }'
}

# mutate SCRIPT FILE: applies each command of a sed script; one that changes nothing is an error.
mutate() {
	local command
	cp "$2" "$work/model.pv"
	while IFS= read -r command; do
		case $command in '' | '#'*) continue ;; esac
		sed "$command" "$work/model.pv" >"$work/next.pv"
		if cmp -s "$work/model.pv" "$work/next.pv"; then
			echo "FAIL $1: changes nothing: $command"
			return 1
		fi
		mv "$work/next.pv" "$work/model.pv"
	done <"$1"
}

# results FILE: a word for each query, one a line.
results() {
	sed -n '/^Verification summary/,$p' "$1" |
		sed -n -E 's/^( - )?(Query |Observational ).* is (true|false)\.?$/\3/p
			s/^( - )?(Query |Observational ).* cannot be proved\.?$/unproved/p'
}

failed=0
# check NAME WANT: runs $work/model.pv.
check() {
	local start=$SECONDS got
	timeout "$limit" "$proverif" "$work/model.pv" >"$work/out" 2>&1 || true
	got=$(paste -d= <(cut -d= -f1 <<<"$2") <(results "$work/out"))
	if [ "$got" = "$2" ]; then
		echo "ok   $1 ($((SECONDS - start)) s)"
		return
	fi
	failed=1
	echo "FAIL $1 ($((SECONDS - start)) s): expected < and got >"
	diff <(echo "$2") <(echo "$got") | grep '^[<>]' || true
	grep -m 3 -i error "$work/out" || true
}

names=("$@")
if [ $# -eq 0 ]; then
	for f in *.pv mutants/*.sed; do
		f=${f##*/}
		names+=("${f%.*}")
	done
fi
for name in "${names[@]}"; do
	if [ -f "$name.pv" ]; then
		cp "$name.pv" "$work/model.pv"
		check "$name" "$(expected "$name.pv")"
	elif [ -f "mutants/$name.sed" ]; then
		base=${name%%-*}.pv
		if mutate "mutants/$name.sed" "$base"; then
			check "$name" "$(expected "$base" | overlay "$(expected "mutants/$name.sed")")"
		else
			failed=1
		fi
	else
		echo "error: no model or mutant $name" >&2
		exit 2
	fi
done
exit $failed
