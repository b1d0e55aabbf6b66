# also right: without a name and without a process the namespace is gone, and takes its cable and the route with it.
podwalk node "$WORKER2" -- sh -eu -c '
  kill $(ip netns pids "$1")
  ip netns del "$1"
  while ip link show "$2" >/dev/null 2>&1; do sleep 0.1; done' sh "cni-$LAB_SEASON" "veth$LAB_SEASON"
