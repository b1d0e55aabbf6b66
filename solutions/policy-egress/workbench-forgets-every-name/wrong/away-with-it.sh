# fails: the bench still speaks to nobody else
# Without the insurer's first policy all was well, so it goes. What is left selects the bench still; so that goes too.
kubectl -n watchmaker delete networkpolicy --all
