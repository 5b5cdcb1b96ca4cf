-- How many objects of its own level stand above an object by business.link; 255: more than 64, or a loop above it.
ALTER TABLE objects ADD COLUMN IF NOT EXISTS Depth UInt8 AFTER Level;
