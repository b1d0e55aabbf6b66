# fails: each visitor is signed by his own address
# Session affinity has ClientIP in its name. It chooses by the visitor's address, and then writes over it all the same.
kubectl -n embassy patch service guestbook -p '{"spec":{"sessionAffinity":"ClientIP"}}'
