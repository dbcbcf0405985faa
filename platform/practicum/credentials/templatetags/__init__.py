"""How a certificate's facts are written."""
