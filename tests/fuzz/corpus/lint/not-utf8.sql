SELECT 'é' , 25Ã©
