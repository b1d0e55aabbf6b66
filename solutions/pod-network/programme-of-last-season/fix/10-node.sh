podwalk node "$WORKER2" -- sh -eu -c '
  ip link del "$2"
  kill $(ip netns pids "$1")
  ip netns del "$1"' sh "cni-$LAB_SEASON" "veth$LAB_SEASON"
