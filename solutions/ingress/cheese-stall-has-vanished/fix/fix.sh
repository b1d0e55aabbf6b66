# What the files could not bring back, because it stands on the namespace itself.
kubectl label namespace cheese "wing=$LAB_WING"
