"""Color and size of whole photos: CIELAB, gamut, resizing, joint bilateral upsampling."""
