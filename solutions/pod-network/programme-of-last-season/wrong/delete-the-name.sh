# fails: the box office gets this season's programme
# `ip netns del` sounds final. It takes away the name; the namespace lives on as long as a process is in it.
podwalk node "$WORKER2" -- ip netns del "cni-$LAB_SEASON"
