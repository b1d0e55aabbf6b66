# fails: who owes rent stays outside
# One command for all namespaces that have no proper labels. It was meant well.
kubectl label namespace umbrellas cheese "wing=$LAB_WING" rent=paid --overwrite
