"""Groups of viewers with similar tastes: found, recognised from day to day, named, and put to use."""
