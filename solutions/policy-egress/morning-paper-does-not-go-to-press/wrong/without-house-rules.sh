# fails: the lobby stays outside
# What was left on Tuesday is taken away again, and the paper goes to press; so do the invitations.
kubectl delete clusternetworkpolicy gazette-house-rules
