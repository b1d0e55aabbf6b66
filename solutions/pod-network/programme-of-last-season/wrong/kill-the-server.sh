# fails: the box office gets this season's programme
# The server is found and ended. Now the address is answered for by a kernel with no server: connection refused.
podwalk node "$WORKER2" -- sh -c 'kill $(ip netns pids "$1")' sh "cni-$LAB_SEASON"
