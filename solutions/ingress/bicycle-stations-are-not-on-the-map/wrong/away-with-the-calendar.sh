# fails: what worked still works
# Since the workshop has its calendar the canal is gone; so the calendar goes, and the canal is back.
kubectl -n bicycles delete ingress workshop
