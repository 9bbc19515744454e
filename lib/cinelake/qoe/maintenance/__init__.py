"""Work that was announced mutes alarms where it goes on."""
