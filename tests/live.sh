#!/usr/bin/env bash
# Checks live traces on this Mac, and prints what it found as a table: into the file that GITHUB_STEP_SUMMARY names, or
# to standard output. Runs on the bash that comes with macOS (3.2).

# shellcheck disable=SC2317,SC2329 # functions that until_so and trap call

set -u
export LC_ALL=C

usage() {
    cat <<'END'
Checks live traces on this Mac and prints the findings as a table.

usage: tests/live.sh [OPTION]... [PROGRAM]

  PROGRAM                     the proctracer to check [target/release/proctracer]
  --recording FILE            keep the recording that the checks make; environment variables in it are redacted
  --grant-full-disk-access    if Full Disk Access is missing, write it into the privacy database while the checks run;
                              that needs System Integrity Protection off: for test machines

Root is needed for nearly all of it: sudo asks for the password. What can't be checked is shown as skipped, with the
reason. The exit status is 0 if nothing failed, 1 if something did, and 2 if the usage is wrong.
END
}

fail_usage() {
    echo "tests/live.sh: $1" >&2
    exit 2
}

absolute() {
    case $1 in /*) echo "$1" ;; *) echo "$from/$1" ;; esac
}

from=$PWD
cd "$(dirname "$0")/.." || exit 2
program=$PWD/target/release/proctracer
recording=
is_granting=
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help)
        usage
        exit 0
        ;;
    --recording)
        [ $# -ge 2 ] || fail_usage "--recording needs a file"
        recording=$(absolute "$2")
        shift
        ;;
    --grant-full-disk-access) is_granting=1 ;;
    -*) fail_usage "unknown option $1; see --help" ;;
    *) program=$(absolute "$1") ;;
    esac
    shift
done
[ "$(uname)" = Darwin ] || fail_usage "this checks live traces, which need macOS"
[ -x "$program" ] || fail_usage "$program isn't there; make test-live builds it"

# What the checks share ------------------------------------------------------------------------------------------------

# Events have the real paths of files.
work=$(cd "$(mktemp -d "${TMPDIR:-/tmp}/proctracer-live.XXXXXX")" && pwd -P) || exit 2
database="/Library/Application Support/com.apple.TCC/TCC.db"
granted=$work/granted
: >"$granted"
group=
has_failed=

root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

# Kills what the last command that was started runs. The shell's own kill takes groups everywhere.
kill_group() {
    # shellcheck disable=SC2016 # sh expands it
    root sh -c 'kill -KILL "-$1"' sh "$group" 2>/dev/null
}

# Lines as they stand in a cell of a table.
cell() {
    tr -d '\r\033' | sed -e 's/|/\\|/g' -e 's/   */ /g' -e 's/^ *//' -e '/^$/d' | awk '
        { printf "%s%s", (NR > 1 ? "<br>" : ""), $0 }'
}

# Adds a row: RESULT (ok, FAILED, skipped, noted), CHECK, DETAIL.
row() {
    local detail
    detail=$(printf '%s' "$3" | cell)
    printf '| %s | %s | %s |\n' "$2" "$1" "$detail" >>"$work/table"
    printf '%-8s %s\n' "$1" "$2" >&2
    if [ "$1" = FAILED ]; then has_failed=1; fi
}

# Adds a row that depends on a text that says what is wrong: empty is ok.
judge() {
    if [ -z "$2" ]; then row ok "$1" "$3"; else row FAILED "$1" "$2"; fi
}

# Starts a command in a process group of its own, as a job of a shell that a person types into. NAME.out and NAME.err
# get what it prints, NAME.status its exit status.
start() {
    local name=$1
    shift
    rm -f "$work/$name.out" "$work/$name.err" "$work/$name.status" "$work/$name.pid"
    set -m
    (
        "$@"
        echo $? >"$work/$name.status"
    ) </dev/null >"$work/$name.out" 2>"$work/$name.err" &
    group=$!
    set +m
}

# Starts proctracer as root; NAME.pid gets its pid. Signals must go to it and not to sudo, which passes on none that
# comes from the command's own group.
start_root() {
    local name=$1
    shift
    # shellcheck disable=SC2016 # sh expands it
    start "$name" root sh -c 'echo $$ >"$1"; shift; exec "$@"' sh "$work/$name.pid" "$program" "$@"
}

# Waits at most SECONDS for a command that was started; sets `status`, to "none" if it had to be killed.
finish() {
    local name=$1 end=$((SECONDS + $2))
    status=none
    until [ -s "$work/$name.status" ]; do
        if [ "$SECONDS" -ge "$end" ]; then
            kill_group
            break
        fi
        sleep 0.1
    done
    wait "$group" 2>/dev/null
    if [ -s "$work/$name.status" ]; then status=$(cat "$work/$name.status"); fi
    group=
}

# Runs a command for at most SECONDS.
within() {
    local seconds=$1 name=$2
    shift 2
    start "$name" "$@"
    finish "$name" "$seconds"
}

# Waits at most SECONDS until a command succeeds.
until_so() {
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        if [ "$SECONDS" -ge "$end" ]; then return 1; fi
        sleep 0.1
    done
}

# Succeeds if a trace has shown an event; starts a program and writes to a file, so that there is one.
has_begun() {
    /usr/bin/true
    echo >"$work/anything"
    [ -s "$1" ]
}

esloggers() {
    pgrep -x eslogger | sort
}

# Sends a signal to the proctracer that start_root started as NAME.
signal() {
    root kill "-$1" "$(cat "$work/$2.pid")"
}

# What a command reported; on a terminal that is among the rest of its output.
said() {
    if [ -s "$work/$1.err" ]; then head -n 5 "$work/$1.err"; else tail -n 2 "$work/$1.out"; fi
}

finish_all() {
    trap - EXIT
    if [ -n "$group" ]; then kill_group; fi
    while IFS= read -r path; do
        root sqlite3 "$database" "DELETE FROM access WHERE $(entry "$path")" >/dev/null 2>&1
    done <"$granted"
    rm -rf "$work"
    exit "$1"
}
trap 'finish_all 1' EXIT
trap 'finish_all 130' INT
trap 'finish_all 143' TERM HUP

# Full Disk Access -----------------------------------------------------------------------------------------------------

quoted() {
    printf '%s' "$1" | sed "s/'/''/g"
}

entry() {
    printf "service = 'kTCCServiceSystemPolicyAllFiles' AND client = '%s' AND client_type = 1" "$(quoted "$1")"
}

# The executables of this shell and of what started it: macOS asks for the permission of one of them.
starters() {
    local pid=$$ line
    while [ "$pid" -gt 1 ]; do
        line=$(ps -o ppid= -o comm= -p "$pid") || break
        read -r pid line <<<"$line"
        case $line in /*) echo "$line" ;; esac
    done
}

# Allows what started this script to see everything, unless the database has an entry for it already.
grant() {
    local path added
    while IFS= read -r path; do
        added=$(root sqlite3 "$database" "INSERT OR IGNORE INTO access
            (service, client, client_type, auth_value, auth_reason, auth_version, flags)
            VALUES ('kTCCServiceSystemPolicyAllFiles', '$(quoted "$path")', 1, 2, 4, 1, 0);
            SELECT changes();" 2>&1) || { echo "$added"; return 1; }
        if [ "$added" = 1 ]; then echo "$path" >>"$granted"; fi
    done < <({ starters; echo /bin/bash; } | sort -u)
}

# Checks ---------------------------------------------------------------------------------------------------------------

# The results of the checks are rows of the table; wrong collects what is wrong.

# Prints the state that --doctor gave a requirement.
state() {
    sed -nE "s/^$2 +((ok|missing|unknown).*)$/\\1/p" "$work/$1.out"
}

check_doctor() {
    local wrong=''
    within 30 doctor "$program" --doctor
    case $(state doctor macOS) in
    "ok: $macos") ;;
    *) wrong="macOS $macos is reported as: $(state doctor macOS). " ;;
    esac
    case $(state doctor root) in missing:*) ;; *) wrong="${wrong}root isn't missing. " ;; esac
    case $status in 1 | 4) ;; *) wrong="${wrong}status $status: $(said doctor)" ;; esac
    judge "--doctor without root" "$wrong" "$(cat "$work/doctor.out")"
}

check_doctor_root() {
    local wrong='' access
    within 30 rdoctor root "$program" --doctor
    access=$(state rdoctor "Full Disk Access")
    if [ -n "$is_granting" ] && [ "${access#ok}" = "$access" ]; then
        if wrong=$(grant); then
            row noted "Full Disk Access was written" "$(cat "$granted")"
            within 30 rdoctor root "$program" --doctor
            access=$(state rdoctor "Full Disk Access")
        fi
    fi
    case $access in
    ok*) ;;
    *) no_live="Full Disk Access: $access" ;;
    esac
    if [ "$(state rdoctor root)" != ok ]; then wrong="${wrong}root: $(state rdoctor root). "; fi
    if [ -z "$no_live" ] && [ "$status" != 0 ]; then wrong="${wrong}status $status: $(said rdoctor)"; fi
    if [ -n "$no_live" ] && [ -n "$is_granting" ]; then wrong="${wrong}$no_live"; fi
    judge "--doctor with root" "$wrong" "$(cat "$work/rdoctor.out")"
}

# The answer of es_new_client, by a trace of two seconds. A refusal is an answer; a crash or a hang is none.
check_client() {
    local name=$1
    shift
    within 30 client "$@" --source native -e exec --duration 2s
    case $status in
    0) row noted "$name" "a client was made, and a trace ran" ;;
    1 | 4) row noted "$name" "status $status: $(said client)" ;;
    *) row FAILED "$name" "status $status: $(said client)" ;;
    esac
}

# A copy that claims the entitlement: macOS may kill it for that.
check_entitled() {
    local name="a copy signed ad hoc with the entitlement" copy=$work/entitled
    if ! command -v codesign >/dev/null; then
        row skipped "$name" "codesign isn't there"
        return
    fi
    cp "$program" "$copy"
    within 60 sign codesign --force --sign - --entitlements entitlements.plist "$copy"
    if [ "$status" != 0 ]; then
        row FAILED "$name" "codesign: status $status: $(said sign)"
        return
    fi
    within 30 copy "$copy" --version
    case $status in
    0) check_client "$name runs; its es_new_client" root "$copy" ;;
    137) row noted "$name" "killed (137)" ;;
    *) row FAILED "$name" "status $status: $(said copy)" ;;
    esac
}

# The events of eslogger are all in the catalogue. What the catalogue has for this macOS and eslogger hasn't is shown.
check_events() {
    local wrong='' unknown lacking
    within 30 events root eslogger --list-events
    if [ "$status" != 0 ]; then wrong="status $status: $(said events)"; fi
    tr -s '[:space:]' '\n' <"$work/events.out" | grep . | sort -u >"$work/theirs"
    "$program" --list-events | awk '{ print $1 }' | sort >"$work/ours"
    "$program" --list-events | awk -v macos="$macos" '
        function number(version, part) { split(version, part, "."); return part[1] * 1000 + part[2] }
        number($2) <= number(macos) { print $1 }' | sort >"$work/due"
    unknown=$(comm -13 "$work/ours" "$work/theirs")
    lacking=$(comm -23 "$work/due" "$work/theirs")
    if [ ! -s "$work/theirs" ]; then wrong="${wrong}eslogger lists nothing"; fi
    if [ -n "$unknown" ]; then wrong="${wrong}the catalogue doesn't have: $unknown"; fi
    judge "eslogger --list-events" "$wrong" \
        "$(grep -c . "$work/theirs") events; of the catalogue's for macOS $macos it lacks: ${lacking:-none}"
}

# Prints the members that stand in the recording and not in the catalogue.
unknown_members() {
    local event
    "$program" -r "$1" --env 2>/dev/null | awk '
        /^event : / { event = substr($0, 9); next }
        /^  time: / { next }
        /^ [^ ].*:$/ { print event "\t" substr($0, 2, length($0) - 2); next }
        /^  [^ ]/ { sub(/ : .*/, ""); print event "\t" substr($0, 3) }' | sort -u >"$work/shown"
    cut -f 1 "$work/shown" | uniq | while IFS= read -r event; do
        printf '%s\tprocess\n' "$event"
        "$program" --explain "$event" 2>/dev/null | awk -v event="$event" '
            /^members:/ { in_members = 1; next }
            /^$/ { in_members = 0 }
            in_members { print event "\t" $1 }'
    done | sort -u >"$work/members"
    comm -23 "$work/shown" "$work/members" | tr '\t' ' '
}

# Prints the recorded events of an event's name that are selected by the other arguments.
recorded() {
    local event=$1
    shift
    "$program" -r "$work/real.jsonl" -F line -e "$event" "$@" 2>/dev/null
}

# A script whose events are known, in a trace that is recorded.
check_known() {
    local known wrong='' made moved events=exec,fork,exit,create,rename,unlink
    mkdir "$work/folder"
    made="$work/folder/made here"
    moved="$work/folder/moved – dorthin"
    cat >"$work/known.sh" <<'END'
: >"$1"
mv "$1" "$2"
rm "$2"
exit 7
END
    start_root known --source eslogger -e "$events" --redact -w "$work/real.jsonl" -F line --fail-on-drop
    if ! until_so 30 has_begun "$work/real.jsonl"; then
        finish known 0
        no_live="no event came in 30 seconds"
        row FAILED "a known script" "$no_live: $(cat "$work/known.err")"
        return
    fi
    sh "$work/known.sh" "$made" "$moved" &
    known=$!
    wait "$known"
    until_so 20 has_exit "$known" || wrong="the exit hasn't come in 20 seconds. "
    signal INT known
    finish known 20
    if [ "$status" != 0 ] || [ -s "$work/known.err" ]; then wrong="${wrong}status $status: $(cat "$work/known.err"). "; fi
    has exec "known.sh" --pid "$known" || wrong="${wrong}no exec. "
    [ "$(recorded fork --pid "$known" | grep -c "\[$known\] fork")" -ge 2 ] || wrong="${wrong}not two forks. "
    has exit 'stat="exited 7"' --pid "$known" || wrong="${wrong}no exit with 7. "
    has create "\[$known\]" -P "$made" || wrong="${wrong}no create. "
    has rename "made here" -P "$moved" || wrong="${wrong}no rename. "
    has unlink "target=" -P "$moved" || wrong="${wrong}no unlink. "
    judge "a known script" "$wrong" "its exec, forks, exit, create, rename and unlink were seen; nothing is missing"
    check_recording
}

has_exit() {
    has exit . --pid "$1"
}

# Succeeds if there is an event with this text: EVENT TEXT [OPTION]...
has() {
    local event=$1 text=$2
    shift 2
    recorded "$event" "$@" | grep -e "$text"
} >/dev/null

check_recording() {
    local wrong='' mode owner unknown
    "$program" -r "$work/real.jsonl" >"$work/text" 2>"$work/all-warnings"
    status=$?
    # What proctracer left out of the trace, its own events, is a gap in the recording.
    grep -Ev 'events (is|are) missing, dropped by macOS or left out of the recording' "$work/all-warnings" >"$work/warnings"
    if [ "$status" != 0 ] || [ -s "$work/warnings" ]; then wrong="status $status: $(head -n 5 "$work/warnings"). "; fi
    unknown=$(unknown_members "$work/real.jsonl")
    if [ -n "$unknown" ]; then wrong="${wrong}members that the catalogue doesn't have: $unknown"; fi
    judge "the recording decodes" "$wrong" "$(grep -c '^event : ' "$work/text") events, $(wc -c <"$work/real.jsonl") bytes"
    # shellcheck disable=SC2012 # stat(1) has other options on every system
    read -r mode _ owner _ <<<"$(ls -ln "$work/real.jsonl")"
    # macOS appends @ or + for attributes and lists of its own.
    case $mode in -rw-------*) wrong='' ;; *) wrong="$mode" ;; esac
    judge "who may read the recording" "$wrong" "$mode, user $owner"
    if [ -n "$recording" ]; then cp "$work/real.jsonl" "$recording"; fi
}

check_command() {
    local wrong=''
    # shellcheck disable=SC2016 # sh expands it
    within 60 command root "$program" -F line -e exec,exit -o "$work/trace" -- sh -c 'id -u; exit 7'
    if [ "$status" != 7 ]; then wrong="status $status: $(said command). "; fi
    if [ "$(cat "$work/command.out")" != "$(id -u)" ]; then wrong="${wrong}It ran as $(cat "$work/command.out"). "; fi
    grep -q '] exec args="sh -c' "$work/trace" || wrong="${wrong}no exec of sh. "
    grep -q '] exec args="id -u"' "$work/trace" || wrong="${wrong}no exec of id. "
    tail -n 1 "$work/trace" | grep -q 'exit stat="exited 7"' || wrong="${wrong}The last event isn't its exit. "
    judge "proctracer COMMAND" "$wrong" "$(cat "$work/trace")"
}

# Adds a row on the end of a trace: NAME, the eslogger processes of before, CHECK, the statuses that are right.
judge_end() {
    local name=$1 before=$2 check=$3 statuses=$4 wrong='' own left
    case " $statuses " in *" $status "*) ;; *) wrong="status $status: $(said "$name"). " ;; esac
    own=$(cat "$work/$name.groups")
    if [ -z "$own" ]; then wrong="${wrong}eslogger was not seen running. "; fi
    # shellcheck disable=SC2086 # numbers
    if [ -n "$own" ] && ! until_so 5 no_process_of $own; then
        left=$(for number in $own; do pgrep -g "$number"; done)
        # shellcheck disable=SC2086 # numbers
        wrong="${wrong}left running: $(ps -o pid= -o comm= -p "$(echo $left | tr ' ' ',')")"
        # shellcheck disable=SC2086 # numbers
        root kill -KILL $left 2>/dev/null
    fi
    judge "$check" "$wrong" "status $status; no process is left"
}

no_process_of() {
    local number
    for number in "$@"; do
        if pgrep -g "$number"; then return 1; fi
    done
}

# Notes the process groups of the eslogger processes that weren't there before.
note_groups() {
    local pid
    for pid in $(esloggers | comm -13 <(echo "$2") -); do
        ps -o pgid= -p "$pid"
    done | tr -d ' ' | sort -u >"$work/$1.groups"
}

check_signal() {
    local signal=$1 statuses=$2 before
    before=$(esloggers)
    start_root "$signal" --source eslogger -e exec -F line
    until_so 30 has_begun "$work/$signal.out" || :
    note_groups "$signal" "$before"
    signal "$signal" "$signal"
    finish "$signal" 20
    judge_end "$signal" "$before" "SIG$signal" "$statuses"
}

# Ctrl-C as the terminal sends it: to sudo and proctracer alike. script(1) makes the terminal.
check_terminal() {
    local before check="Ctrl-C on a terminal"
    if ! command -v script >/dev/null; then
        row skipped "$check" "script(1) isn't there"
        return
    fi
    before=$(esloggers)
    mkfifo "$work/keys"
    # The terminal's line discipline turns the key into the signal. Root starts it, because sudo asks for the password
    # once for each terminal, but never root.
    # shellcheck disable=SC2016 # sh expands it
    start terminal root sh -c 'exec script -q /dev/null sudo -n "$@" <"$0"' "$work/keys" "$program" \
        --source eslogger -e exec -F line
    exec 3<>"$work/keys" # for reading, too: so it doesn't wait for a reader
    until_so 30 has_begun "$work/terminal.out" || :
    note_groups terminal "$before"
    printf '\003' >&3
    finish terminal 20
    exec 3>&-
    judge_end terminal "$before" "$check" 0
}

# Ten seconds of writes, of which we know some. What is missing may be missing for good reasons on a busy Mac.
check_writes() {
    local wrong='' count seen
    start_root writes --source eslogger -e write -F line -o "$work/writes" --duration 10s --fail-on-drop
    if ! until_so 9 has_begun "$work/writes"; then wrong="no event in 9 seconds. "; fi
    for ((count = 0; count < 100; count++)); do echo "$count"; done >"$work/written"
    finish writes 30
    case $status in 0 | 3) ;; *) wrong="${wrong}status $status: $(said writes). " ;; esac
    seen=$(grep -c "target=\"*$work/written" "$work/writes")
    if [ "$status" = 0 ] && [ "$seen" != 100 ]; then wrong="${wrong}$seen of 100 writes were seen. "; fi
    if [ -n "$wrong" ]; then
        row FAILED "-e write for 10 seconds" "$wrong"
    elif [ "$status" = 3 ]; then
        row noted "-e write for 10 seconds" "$(said writes)"
    else
        row ok "-e write for 10 seconds" "$(grep -c . "$work/writes") events. $(cat "$work/writes.err")"
    fi
}

# The run --------------------------------------------------------------------------------------------------------------

macos=$(sw_vers -productVersion)
no_root=
no_live=
if [ "$(id -u)" != 0 ] && ! sudo -n true 2>/dev/null; then
    if [ -t 0 ] && [ -t 2 ]; then sudo -v; fi
    sudo -n true 2>/dev/null || no_root="sudo asks for a password; run it in a terminal"
fi

if [ "$(id -u)" = 0 ]; then
    row skipped "--doctor without root" "this runs as root"
    row skipped "es_new_client without root" "this runs as root"
else
    check_doctor
    check_client "es_new_client without root" "$program"
fi
if [ -n "$no_root" ]; then
    row skipped "everything that needs root" "$no_root"
else
    check_doctor_root
    check_client "es_new_client with root" root "$program"
    check_entitled
    check_events
    if [ -z "$no_live" ]; then check_known; fi
    if [ -n "$no_live" ]; then
        row skipped "live traces" "$no_live"
    else
        check_command
        check_signal INT 0
        check_signal TERM 0
        check_signal KILL "137"
        check_terminal
        check_writes
    fi
fi

table() {
    echo "### $("$program" --version) on macOS $macos ($(sw_vers -buildVersion)), $(uname -m)"
    echo
    echo "| check | result | detail |"
    echo "|---|---|---|"
    cat "$work/table"
    echo
}

if [ -n "${GITHUB_STEP_SUMMARY:-}" ]; then table >>"$GITHUB_STEP_SUMMARY"; else table; fi
finish_all "${has_failed:-0}"
