# fails: the rehearsal goes on, on the whole of its stage
# Without the Service there is no such name in the cluster, and the next question goes outside. And the theatre is dark.
kubectl -n test delete service outside
