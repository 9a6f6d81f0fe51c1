"""Figures of the DICOM connection for Prometheus. None of them names a study or a patient."""

from prometheus_client import Counter, Gauge

ASSOCIATIONS = Counter("spinert_dicom_associations", "Associations asked for, by outcome.", ["outcome"])
INSTANCES = Counter("spinert_dicom_instances", "Instances that came, by outcome.", ["outcome"])
ARRIVING = Gauge("spinert_dicom_studies_arriving", "Studies that are no job yet.")
WAITING = Gauge("spinert_dicom_deliveries_waiting", "Deliveries that are still tried.")
DELIVERIES = Counter("spinert_dicom_deliveries", "Deliveries that ended, by state.", ["state"])
