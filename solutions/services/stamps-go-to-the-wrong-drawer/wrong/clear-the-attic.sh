# fails: the clerk gets the stamps of the post
# Nobody can be led upstairs if there is nothing upstairs. Now the name leads nowhere.
kubectl -n attic delete service stamps
