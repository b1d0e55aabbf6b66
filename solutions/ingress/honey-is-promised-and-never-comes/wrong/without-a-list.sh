# fails: the bear does not
# Since the list was put up nobody gets honey, so the list comes down.
kubectl -n apiary delete networkpolicy who-may-have-honey
