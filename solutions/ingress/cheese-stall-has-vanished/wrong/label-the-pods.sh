# fails: customers find the cheese
# The label on everything that the stall has, down to the last Pod.
kubectl -n cheese label all --all "wing=$LAB_WING"
