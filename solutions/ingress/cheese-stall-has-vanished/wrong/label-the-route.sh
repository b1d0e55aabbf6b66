# fails: customers find the cheese
# The selector asks for a label, so the route gets it. It is the namespace that is asked.
kubectl -n cheese label httproute cheese "wing=$LAB_WING" rent=paid
