# Asks from the networks of a node's Pods whom they reach, where the node has no Python (the nodes of kind): bash,
# nsenter, ip and timeout are all it takes. TCP only.
#
# Arguments: SECONDS, then three for each question: the source Pod's address ("-" for the node itself), the target's
# address, its port.
# Prints "NUMBER OUTCOME" per question; outcomes as prober.py names them.
seconds=$1
shift
declare -A namespaces
for path in /run/netns/*; do
  [ -e "$path" ] || continue
  for ip in $(nsenter --net="$path" ip -4 -o addr show scope global 2>/dev/null | awk '{sub("/.*", "", $4); print $4}'); do
    namespaces[$ip]=$path
  done
done
ask() {
  local number=$1 source=$2 target=$3 port=$4 enter=() said
  if [ "$source" != - ]; then
    [ -n "${namespaces[$source]}" ] || { echo "$number error: no such network on this node"; return; }
    enter=(nsenter --net="${namespaces[$source]}")
  fi
  said=$("${enter[@]}" timeout "$seconds" bash -c 'exec 3<>/dev/tcp/$0/$1' "$target" "$port" 2>&1)
  case $?,$said in
    0,*) echo "$number connected" ;;
    124,*) echo "$number dropped" ;;
    *refused*) echo "$number refused" ;;
    *unreachable*|*"No route"*) echo "$number no-route" ;;
    *) echo "$number error: ${said##*: }" ;;
  esac
}
number=0
while [ $# -ge 3 ]; do
  ask "$number" "$1" "$2" "$3" &
  number=$((number + 1))
  shift 3
  [ $((number % 40)) -ne 0 ] || wait
done
wait
