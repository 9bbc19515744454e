"""Cinelake: the data-mining suite of a video-streaming service."""

from pyspark import __version__ as _pyspark

__version__ = "0.1.0"
# The series of Spark that it is written for and that its Delta is built for (runtime/spark/jars.lock).
__spark__ = "4.2"

# Said here, for with another Spark the imports of the first module may fail, and would not say why.
if not _pyspark.startswith(f"{__spark__}."):
    raise ImportError(
        f"Cinelake {__version__} runs on Spark {__spark__}, and this Python has pyspark {_pyspark}; submit with a "
        f"spark-submit of Spark {__spark__} (pip install -r requirements.lock brings one), and see that SPARK_HOME "
        "points to no other"
    )
