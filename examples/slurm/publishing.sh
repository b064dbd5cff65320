# shellcheck shell=bash
# What the hooks share: the settings, the naming of things, and a publish that never hurts Slurm. Sourced, not run.
#
# Everything a user can write (job names, accounts, comments) is hostile: it travels as one argument of one command,
# is never evaluated, never becomes part of a path, and never of an event's type, subject or source.

export PATH=${PATH:-/usr/local/bin:/usr/bin:/bin}:/usr/local/bin:/usr/sbin:/sbin
export LC_ALL=C.UTF-8

hooks=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
for settings in "$hooks/settings" /etc/carillon/slurm/settings; do
    if [[ -r $settings ]]; then
        set -a # what it sets, `carillon` and `squeue` see
        # shellcheck source=settings.example
        source "$settings"
        set +a
        break
    fi
done

: "${CARILLON:=carillon}"
: "${CARILLON_SLURM_CLUSTER:=slurm}"
: "${CARILLON_SLURM_WORKSPACE:=slurm}"
: "${CARILLON_SLURM_WORKSPACES:=}"
: "${CARILLON_SLURM_LOG:=/var/log/slurm/carillon.log}"
: "${CARILLON_SLURM_TIMEOUT:=5}"

# One line into the log of what went wrong. Slurm throws away what hooks print.
complain() { printf '%s %s[%d]: %s\n' "$(date +%FT%T%z)" "${0##*/}" "$$" "$*" >>"$CARILLON_SLURM_LOG"; }

# present VALUE: Slurm says "nothing" in several ways.
present() { [[ -n $1 && $1 != "(null)" && $1 != N/A && $1 != 4294967294 ]]; }

# subject_of JOB ARRAY TASK: 17 for a job, 12_3 for a task of an array. A task has a job id of its own only once it
# starts, so the array's id and the index are its name from the beginning to the end, as in squeue.
subject_of() {
    if present "$2" && [[ $2 != 0 && $3 =~ ^[0-9]+$ ]] && present "$3"; then
        echo "$2_$3"
    else
        echo "$1"
    fi
}

# workspace_of ACCOUNT PARTITION USER: the first line of the mapping that fits, else the account, else the default. An
# account that is no plain word is not believed: without slurmdbd, users may invent accounts.
workspace_of() {
    local kind name workspace
    if [[ -r $CARILLON_SLURM_WORKSPACES ]]; then
        while read -r kind name workspace _; do
            case $kind in
            account) [[ $name == "$1" ]] || continue ;;
            partition) [[ $name == "$2" ]] || continue ;;
            user) [[ $name == "$3" ]] || continue ;;
            *) continue ;; # a comment or an empty line
            esac
            [[ -n $workspace ]] || continue
            echo "$workspace"
            return
        done <"$CARILLON_SLURM_WORKSPACES"
    fi
    if present "$1" && [[ $1 =~ ^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$ ]]; then
        echo "$1"
    else
        echo "$CARILLON_SLURM_WORKSPACE"
    fi
}

# add KEY TEXT: one more member of `data`, a text whatever it looks like: `carillon publish` takes 123, true or "x" for
# JSON, and a job may have any of them for its name.
add() {
    local text=$2 number character
    if [[ $text =~ ^([0-9\"-]|true$|false$|null$) ]]; then
        text=${text//\\/\\\\}
        text=${text//\"/\\\"}
        if [[ $text == *[[:cntrl:]]* ]]; then
            for number in {1..31}; do
                printf -v character '%b' "\\x$(printf %x "$number")"
                text=${text//"$character"/"$(printf '\\u%04x' "$number")"}
            done
        fi
        text="\"$text\""
    fi
    data+=("$1=$text")
}

# publish TYPE SUBJECT WORKSPACE KEY=VALUE…: one event, in bounded time. Its id is made of subject, attempt and type, so
# publishing it again is the same event. When it fails, the log has the command to run by hand.
publish() {
    local type=$1 subject=$2 workspace=$3 now pair problem status
    TZ=UTC printf -v now '%(%FT%T)T.%sZ' "${EPOCHREALTIME%.*}" "${EPOCHREALTIME#*.}"
    local -a command=("$CARILLON" publish --type "$type" --workspace "$workspace" --subject "$subject"
        --source "/slurm/$CARILLON_SLURM_CLUSTER" --time "$now")
    shift 3
    for pair in "$@"; do command+=(--data "$pair"); done
    problem=$(timeout --kill-after=1 "$CARILLON_SLURM_TIMEOUT" "${command[@]}" 2>&1 >/dev/null </dev/null)
    status=$?
    ((status == 0)) || complain "exit $status: ${problem//$'\n'/ | }; run again:$(printf ' %q' "${command[@]}")"
    return "$status"
}
