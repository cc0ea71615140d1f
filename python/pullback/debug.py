"""What is going on inside: graphs to look at, and where a NaN comes from."""

from pullback._anomaly import AnomalyError, AnomalyWarning, detect_anomaly
from pullback._graph import Graph, graph

__all__ = ["AnomalyError", "AnomalyWarning", "Graph", "detect_anomaly", "graph"]
