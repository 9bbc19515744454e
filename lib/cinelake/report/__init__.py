"""The report for people: one page of HTML with pictures, to which every area adds its part."""
