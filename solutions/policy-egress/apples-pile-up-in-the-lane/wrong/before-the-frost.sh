# fails: the meadow still does, and the thieves still do not
# It freezes on Thursday; the policy can come back on Friday.
kubectl -n ciderpress delete networkpolicy press
