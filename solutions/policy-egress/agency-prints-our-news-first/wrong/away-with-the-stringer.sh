# fails: the agency's Pod and the desk were left alone
# Whoever is not there hears nothing. It was not ours to delete.
kubectl -n agency delete pod stringer
