"""Studies from scanners and archives (PACS), results back to them (docs/dicom-connection.md). Needs pynetdicom."""
